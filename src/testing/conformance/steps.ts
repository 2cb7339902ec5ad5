/**
 * Cancels one operation at every step. The operation runs once for each of its steps, and its context
 * ends at the first step, at the second step, and so on to the last. A step is a message between client
 * and server, the beginning or the end of a piece of work, or an event that the operation reports.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { background, withCancel, type Context, type WorkInfo } from "../../index.ts";
import type { Relay } from "./relayed.ts";

/** An operation that is canceled at each of its steps. */
export interface SteppedOperation<T> {
  /** The relay that its messages pass through. */
  relay?: Pick<Relay, "onMessage"> | undefined;
  /** Runs the operation once. `step` reports a step that only the operation can see, such as a row. */
  run(ctx: Context, step: (name: string) => void): Promise<T>;
  /** Called after each run. Throws if the outcome is wrong, or if the run has left something behind. */
  check(outcome: SteppedOutcome<T>): Promise<void> | void;
}

/** `stopped` is the context's own error. */
export type SteppedOutcome<T> = { readonly value: T } | { readonly stopped: unknown };

/** More steps than an operation of a test should have. */
const MAX_STEPS = 500;

/**
 * Cancels the operation at each of its steps. Resolves with the names of all steps, in the order in
 * which a run that was not canceled reports them. Every other run must either reject with its context's
 * own error or succeed, if it was faster than its cancellation. Otherwise `cancelAtEveryStep` rejects.
 */
export async function cancelAtEveryStep<T>(operation: SteppedOperation<T>): Promise<string[]> {
  const { relay } = operation;
  for (let last = 0; last < MAX_STEPS; last++) {
    using ctx = withCancel(background());
    const steps: string[] = [];
    const step = (name: string): void => {
      steps.push(name);
      if (steps.length === last + 1) ctx.cancel(new Error(`at step ${last}, ${name}`));
    };
    const onStart = (work: unknown): void => step(`${(work as WorkInfo).kind} begins`);
    const onEnd = (message: unknown): void =>
      step(`${(message as { work: WorkInfo }).work.kind} ends`);
    subscribe("eightysix:work.start", onStart);
    subscribe("eightysix:work.end", onEnd);
    if (relay !== undefined) relay.onMessage = (message) => step(message.name);
    const outcome = await operation.run(ctx, step).then(
      (value) => ({ value }),
      (error: unknown) => ({ stopped: error }),
    );
    unsubscribe("eightysix:work.start", onStart);
    unsubscribe("eightysix:work.end", onEnd);
    if (relay !== undefined) relay.onMessage = undefined;
    const at = `canceled ${String((ctx.err()?.cause as Error | undefined)?.message)}`;
    if ("stopped" in outcome && outcome.stopped !== ctx.err()) {
      throw new Error(
        `an operation that was ${at} rejected with ${String(outcome.stopped)} instead of ctx.err()`,
        { cause: outcome.stopped },
      );
    }
    try {
      await operation.check(outcome);
    } catch (error) {
      throw new Error(`the check failed after the run was ${at}: ${String(error)}`, {
        cause: error,
      });
    }
    if (steps.length <= last) return steps;
  }
  throw new Error(`more than ${MAX_STEPS} steps`);
}
