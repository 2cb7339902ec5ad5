/** Provokes a late stop: the relay holds the stop request until the operation has ended by itself. */
import type { Context } from "../../index.ts";
import { settled } from "./expect.ts";
import type { Form, Running, Stage } from "./stage.ts";
import { pause, until, type Outcome } from "./time.ts";

/** Milliseconds that the stop request is held after the end of its operation. */
export const HELD = 150;

const FIRST_ATTEMPT = 200;
const LAST_ATTEMPT = 1_600;
/** Milliseconds in which a stop that was sent arrives at the relay. */
const ARRIVAL = 1_000;

export interface LateStop {
  /** The context that has ended. */
  readonly ctx: Context;
  readonly outcome: Promise<Outcome>;
}

/**
 * Cancels an operation, and resolves while the relay holds its stop request. The operation ends by
 * itself in the meantime. If it was faster than the cancel, tries again with a longer one.
 */
export async function provokeLateStop<Db>(stage: Stage<Db>, form: Form<Db>): Promise<LateStop> {
  for (let ms = FIRST_ATTEMPT; ms <= LAST_ATTEMPT; ms *= 2) {
    const ctx = stage.context();
    const running: Running = await stage.startRunning(form, ctx, ms);
    const before = stage.stops;
    const due = performance.now() + ms;
    stage.onStop = async () => {
      // A server may call an operation running until the client has said something more.
      while (performance.now() < due && (await stage.adapter.isRunning(running.task.tag))) {
        await pause(2);
      }
      await pause(HELD);
    };
    let outcome: Outcome | undefined;
    void running.outcome.then((end) => (outcome = end));
    ctx.cancel();
    await until(
      `${form.name} sent no stop that \`isStopRequest\` recognizes, and did not settle`,
      () => stage.stops > before || outcome !== undefined,
      3_000,
    );
    if (outcome !== undefined && "error" in outcome) {
      // An adapter that does not wait for its stop may settle before the stop has arrived here.
      const giveUp = performance.now() + ARRIVAL;
      while (stage.stops === before && performance.now() < giveUp) await pause(2);
    }
    if (stage.stops > before) return { ctx, outcome: running.outcome };
    const end = await settled(form.name, running);
    if ("error" in end) {
      throw new Error(
        `${form.name} was canceled without a stop that \`isStopRequest\` recognizes: \`stop\` must ask the server`,
        { cause: end.error },
      );
    }
  }
  throw new Error(`${form.name} always ended before its stop was sent`);
}
