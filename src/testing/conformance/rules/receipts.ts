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
const TIMEOUT = 250;

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
              !link.isClosed,
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
          const ctx = withTimeout(withLedger(background()), TIMEOUT);
          await expectStopped(stage, form, ctx, await stage.startRunning(form, ctx, 60_000));
        }),
    },
  ]);
}

async function expectStopped<Db>(
  { adapter }: Stage<Db>,
  form: Form<Db>,
  ctx: Context,
  running: Running,
): Promise<void> {
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
  if (adapter.documented?.receipts === "abandoned") {
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
