/** An operation that is canceled has stopped on the server, and its receipt tells the truth. */
import { background, withLedger, withTimeout, type Context } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, expectContextError, receiptsOf, settled } from "../expect.ts";
import { formsOf } from "../forms.ts";
import type { Form, Running, Stage } from "../stage.ts";
import type { Draft } from "../test.ts";
import { pause, until } from "../time.ts";

/** Milliseconds that the relay holds a stop, so that a caller that does not wait for it is too early. */
const HELD = 50;
/** The first deadline. On a busy machine it may pass before the server is seen to run the operation. */
const TIMEOUT = 250;
const LONGEST = 16 * TIMEOUT;

export function receipts<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  return formsOf(adapter).flatMap((form) => [
    {
      name: `${form.name} that is canceled has stopped on the server when it settles`,
      run: (withStage) =>
        withStage({}, async (stage) => {
          const ctx = stage.context(withLedger(background()));
          const running = await stage.startRunning(form, ctx, 60_000);
          const link = stage.link;
          stage.onStop = () => pause(HELD);
          ctx.cancel();
          await expectStopped(stage, form, ctx, running);
          await stage.expectUsable("after a stop");
          const afterStop = form.afterEnd ?? adapter.documented?.afterStop ?? "reuse";
          if (link === undefined) return;
          if (afterStop === "destroy") {
            await until(
              `the connection of ${form.name} was not destroyed after a stop`,
              () => link.isClosed,
              2_000,
            );
          } else {
            check(
              !link.isClosed || stage.stops > 1, // the second stop may still arrive
              'the connection was destroyed after a stop that was confirmed: if that is documented, set `documented.afterStop` to "destroy"',
            );
          }
        }),
    },
    {
      name: `${form.name} whose deadline passes has stopped on the server when it settles`,
      run: (withStage) =>
        withStage({}, async (stage) => {
          stage.onStop = () => pause(HELD);
          const { ctx, running } = await startUnderDeadline(stage, form);
          await expectStopped(stage, form, ctx, running);
        }),
    },
  ]);
}

/** Starts an operation, and resolves when the server runs it and its deadline has not passed. */
async function startUnderDeadline<Db>(
  stage: Stage<Db>,
  form: Form<Db>,
): Promise<{ ctx: Context; running: Running }> {
  for (let ms = TIMEOUT; ; ms *= 4) {
    const ctx = withTimeout(withLedger(background()), ms);
    try {
      return { ctx, running: await stage.startRunning(form, ctx, 60_000) };
    } catch (error) {
      if (ctx.err() === undefined || ms >= LONGEST) throw error;
    }
  }
}

async function expectStopped<Db>(
  stage: Stage<Db>,
  form: Form<Db>,
  ctx: Context,
  running: Running,
): Promise<void> {
  const { adapter } = stage;
  const outcome = await settled(form.name, running);
  const isRunning = await adapter.isRunning(running.task.tag);
  expectContextError(form.name, outcome, ctx);
  const receipts = await receiptsOf(form.name, ctx);
  const last = receipts.at(-1);
  check(
    last !== undefined,
    `${form.name} that was canceled has no receipt: give the operation a \`kind\`, or call \`startWork\``,
  );
  check(
    receipts.some(({ what }) => what !== undefined && what !== ""),
    `the receipt of ${form.name} does not say what ran: set \`what\``,
  );
  const states = receipts.map(({ state }) => state);
  if (adapter.documented?.receipts === "abandoned" || stage.stops > 1) {
    check(
      !isRunning || states.includes("abandoned"),
      `the receipt says "stopped", but the server still runs ${form.name}`,
    );
    return;
  }
  check(
    !states.includes("abandoned"),
    `the receipt of ${form.name} says "abandoned" although the server answered: if that is documented, set \`documented.receipts\` to "abandoned"`,
  );
  check(
    !isRunning,
    `${form.name} has settled and its receipt says "stopped", but the server still runs it: settle only when the operation has settled and \`stop\` has resolved`,
  );
}
