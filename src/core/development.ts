/** Development mode: it finds contexts that were not canceled, and records which code canceled. */
import { channel } from "./channels.ts";
import { checkFunction, checkOptions } from "./check.ts";
import { recordCancelers } from "./end.ts";
import { recordStack, userStack } from "./user-stack.ts";
import { warn } from "./warn.ts";
import { endOf, isWatched, type Scope } from "./tree.ts";

/** The report of a context that was watched and then garbage collected before it had ended. */
export interface DroppedContext {
  message: string;
  /** The stack of the code that created the context, from its first frame outside this package. */
  stack: string;
}

const dropped = channel("context.dropped");
let registry: FinalizationRegistry<{ scope: Scope; at: Error }> | undefined;
let report: (dropped: DroppedContext) => void = warnOfDropped;

/**
 * Turns development mode on or off. It is off by default, and costs nothing while it is off. The
 * environment variable `EIGHTYSIX_DEV=1` turns it on from the start.
 *
 * While it is on:
 * - The stack of a context error leads to the code that canceled.
 * - A context that was watched (its signal was read, or a callback waits for its end) and is
 *   garbage collected before it has ended is reported, with the stack of the code that created it.
 *   The report is published on the diagnostics channel `eightysix:context.dropped` and passed to
 *   `onDropped`, which emits a process warning by default. A context that was never watched leaves
 *   nothing behind, and is not reported.
 * - The warning of work that a finished request leaves behind shows the code that started the work.
 *   Without development mode, it shows what work it was.
 * - A single statement that leaves a transaction open on a pooled connection, such as
 *   `db.query(ctx, "BEGIN")`, causes a process warning. The transaction is rolled back with and
 *   without development mode.
 * - The warning about a request that uses the context of another, finished one shows where that
 *   context was taken.
 *
 * @example
 * developmentMode(process.env.NODE_ENV !== "production");
 */
export function developmentMode(
  on: boolean,
  options?: { onDropped?: (dropped: DroppedContext) => void },
): void {
  checkOptions(options, "developmentMode", ["onDropped"]);
  const { onDropped = warnOfDropped } = options ?? {};
  checkFunction(onDropped, "developmentMode", "a function for the option onDropped");
  report = onDropped;
  recordCancelers(on);
  if (!on) registry = undefined;
  else
    registry ??= new FinalizationRegistry(({ scope, at }) => {
      if (!isWatched(scope) || endOf(scope) !== undefined) return;
      const message =
        "a context was dropped without being canceled; use `using`, or cancel it in finally";
      const found = { message, stack: userStack(at) ?? at.stack ?? "" };
      dropped.publish(found);
      report(found);
    });
}

/** Returns whether development mode is on. */
export function isDevelopment(): boolean {
  return registry !== undefined;
}

/** Reports `ctx` if it is dropped. Does nothing unless development mode is on. */
export function trackDropped(ctx: object, scope: Scope): void {
  if (registry !== undefined) registry.register(ctx, { scope, at: recordStack() });
}

function warnOfDropped({ message, stack }: DroppedContext): void {
  warn(message, { type: "ContextWarning", code: "EIGHTYSIX_DROPPED", detail: stack });
}

const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
if (process?.env?.["EIGHTYSIX_DEV"] === "1") developmentMode(true);
