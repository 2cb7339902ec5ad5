/** Connections that are refused or reset while an operation is stopped. */
import { background, isContextError, withLedger } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, receiptsOf, settled } from "../expect.ts";
import { formsOf } from "../forms.ts";
import { show, type Form, type Stage } from "../stage.ts";
import type { Draft, WithStage } from "../test.ts";
import { pause } from "../time.ts";
import { without, withoutStopRequest } from "./skips.ts";

const STOP_TIMEOUT = 500;
/** Milliseconds that an operation runs if the server does not learn of its stop. */
const LONG = 3_000;
const HELD = 50;

export function brokenNetwork<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  return formsOf(adapter).flatMap((form) => [
    {
      name: `${form.name} is not said to have stopped while it runs, if the connection for its stop is refused`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        expectTruth(withStage, form, async ({ relay }, cancel) => {
          await relay?.refuse(true);
          cancel();
        }),
    },
    {
      name: `${form.name} is not said to have stopped while it runs, if the connection of its stop is reset`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        expectTruth(withStage, form, (stage, cancel) => {
          stage.onStop = ({ link }) => {
            link.reset();
            return "drop";
          };
          cancel();
        }),
    },
    {
      name: `${form.name} is not said to have stopped while it runs, if its own connection is reset during its stop`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        expectTruth(withStage, form, (stage, cancel) => {
          const { link } = stage;
          stage.onStop = async () => {
            link?.reset();
            await pause(HELD);
          };
          cancel();
        }),
    },
    {
      name: `${form.name} is not said to have stopped while it runs, if both connections are reset during its stop`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        expectTruth(withStage, form, (stage, cancel) => {
          const { link } = stage;
          stage.onStop = async (stop) => {
            link?.reset();
            await pause(HELD); // the driver notices that its connection broke before the stop fails
            stop.link.reset();
            return "drop";
          };
          cancel();
        }),
    },
    {
      name: `${form.name} rejects with the driver's error if its connection is reset, and the next operation gets another connection`,
      skip:
        without(adapter, "server") ??
        (adapter.documented?.shared === true ? "all operations share a connection" : undefined),
      run: (withStage) =>
        withStage({ stopTimeout: STOP_TIMEOUT }, async (stage) => {
          const running = await stage.startRunning(form, background(), LONG);
          stage.link?.reset();
          const outcome = await settled(form.name, running);
          check(
            "error" in outcome && outcome.error instanceof Error && !isContextError(outcome.error),
            `the connection of ${form.name} was reset under a live context, but ${show(outcome)}: pass the driver's error on`,
          );
        }),
    },
  ]);
}

/** Cancels an operation while `strike` breaks a connection. Its receipt must tell the truth. */
async function expectTruth<Db>(
  withStage: WithStage<Db>,
  form: Form<Db>,
  strike: (stage: Stage<Db>, cancel: () => void) => Promise<void> | void,
): Promise<void> {
  await withStage({ stopTimeout: STOP_TIMEOUT }, async (stage) => {
    const ctx = stage.context(withLedger(background()));
    const running = await stage.startRunning(form, ctx, LONG);
    await strike(stage, () => ctx.cancel());
    const outcome = await settled(form.name, running);
    const isRunning = await stage.adapter.isRunning(running.task.tag);
    stage.onStop = undefined;
    await stage.relay?.refuse(false);
    check(
      "error" in outcome || !isRunning,
      `${form.name} resolved although the server still runs it`,
    );
    if ("error" in outcome) {
      check(outcome.error instanceof Error, `${form.name} must reject with an Error`);
    }
    const states = (await receiptsOf(form.name, ctx)).map(({ state }) => state);
    check(
      !isRunning || states.includes("abandoned"),
      `the receipt says "${states.join(", ")}", but the server still runs ${form.name}: a broken connection is no answer; call \`resolver.reject(error, { answered: false })\``,
    );
  });
}
