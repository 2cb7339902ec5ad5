/** Development mode: says who forgot to cancel, and who canceled. Off, and free, by default. */
import { channel } from "./channels.ts";
import { checkFunction, checkOptions } from "./check.ts";
import { recordCancelers } from "./end.ts";
import { endOf, isWatched, type Scope } from "./tree.ts";

/** What is reported: a context that was watched and then dropped without being ended. */
export interface DroppedContext {
  message: string;
  /** Where it was created. */
  stack: string;
}

const dropped = channel("context.dropped");
let registry: FinalizationRegistry<{ scope: Scope; at: Error }> | undefined;
let report: (dropped: DroppedContext) => void = warn;

/**
 * Turns development mode on or off; `EIGHTYSIX_DEV=1` in the environment turns it on from the
 * start. While on, context errors carry the stack of whoever canceled, and a *watched* context
 * (somebody reads its signal or waits for it) that is garbage collected without having ended is
 * reported, with the stack that created it: on `eightysix:context.dropped`, and to `onDropped`, by
 * default a process warning. Contexts nobody watched are harmless and stay silent.
 */
export function developmentMode(
  on: boolean,
  options?: { onDropped?: (dropped: DroppedContext) => void },
): void {
  checkOptions(options, "developmentMode", ["onDropped"]);
  const { onDropped = warn } = options ?? {};
  checkFunction(onDropped, "developmentMode", "a function for the option onDropped");
  report = onDropped;
  recordCancelers(on);
  if (!on) registry = undefined;
  else
    registry ??= new FinalizationRegistry(({ scope, at }) => {
      if (!isWatched(scope) || endOf(scope) !== undefined) return;
      const message =
        "a context was dropped without being canceled; use `using`, or cancel it in finally";
      const found = { message, stack: at.stack ?? "" };
      dropped.publish(found);
      report(found);
    });
}

/** Free unless in development mode. */
export function trackDropped(ctx: object, scope: Scope): void {
  registry?.register(ctx, { scope, at: new Error("created here") });
}

interface Processes {
  process?: {
    env?: Record<string, string | undefined>;
    emitWarning?: (message: string, options: object) => void;
  };
}

function warn({ message, stack }: DroppedContext): void {
  const { process } = globalThis as Processes;
  const code = "EIGHTYSIX_DROPPED";
  if (process?.emitWarning)
    process.emitWarning(message, { type: "ContextWarning", code, detail: stack });
}

if ((globalThis as Processes).process?.env?.["EIGHTYSIX_DEV"] === "1") developmentMode(true);
