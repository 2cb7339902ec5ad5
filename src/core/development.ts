/**
 * Development mode: its switch, the search for contexts that were dropped, and the stacks of errors.
 * What it reports of work, calls and requests is in src/work, src/current and src/http.
 */
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
let derived: ((ctx: object) => void) | undefined;

/** The call sites of the warnings so far. */
const warned = new Set<string>();

/**
 * Turns development mode on or off. It is off by default, and costs nothing while it is off. The
 * environment variable `EIGHTYSIX_DEV=1` turns it on from the start. Call it before pools are passed to
 * `withContext`, and before requests arrive.
 *
 * While it is on, the `stack` of a context error leads to the code that canceled, and these mistakes
 * of a program are reported:
 * - A context that was watched (its signal was read, or a callback waits for its end) is garbage
 *   collected before it has ended. A context that was never watched leaves nothing behind, and is not
 *   reported. Each report is passed to `onDropped`, which emits a process warning by default.
 * - Under a current context, a call gets `background()` or the context of another request that has
 *   finished, or `fetch` or a driver is called without a context.
 * - Recorded work is still running when a scope ends as finished, for example that of `using`.
 * - A request gets no response.
 * - A single statement leaves a transaction open on a pooled connection, such as
 *   `db.query(ctx, "BEGIN")`. The transaction is rolled back with and without development mode.
 * - A task of `group` and its like fails after the first failure, whose error cannot carry it.
 *
 * Each report is a process warning, once for each call site, and a message on a channel of
 * `node:diagnostics_channel`. docs/development.md lists the codes and the channels, what each one
 * covers, and how to silence it. The warnings of work that a finished request leaves behind, and of
 * a request that uses the context of a finished one, exist without development mode, too. With it,
 * they show where the work was started and where the context was taken.
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
      const found = {
        message:
          "a context was dropped without being canceled; use `using`, or cancel it in finally",
        stack: userStack(at) ?? at.stack ?? "",
      };
      dropped.publish(found);
      report(found);
    });
}

/** Returns whether development mode is on. */
export function isDevelopment(): boolean {
  return registry !== undefined;
}

/** Sets what development mode calls with each context that gets a scope of its own. */
export function onDerive(fn: (ctx: object) => void): void {
  derived = fn;
}

/**
 * Reports `ctx` if it is dropped, and passes it to the function of `onDerive`. Does nothing unless
 * development mode is on.
 */
export function trackDerived(ctx: object, scope: Scope): void {
  if (!registry) return;
  derived?.(ctx);
  registry.register(ctx, { scope, at: recordStack() });
}

function warnOfDropped({ message, stack }: DroppedContext): void {
  if (warned.has(stack)) return;
  warned.add(stack);
  warn(message, { type: "ContextWarning", code: "EIGHTYSIX_DROPPED", detail: stack });
}

const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
if (process?.env?.["EIGHTYSIX_DEV"] === "1") developmentMode(true);
