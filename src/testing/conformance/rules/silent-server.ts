/** The server never answers a stop. The stop timeout limits the wait. */
import { background, withLedger } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, expectContextError, receiptsOf, settled } from "../expect.ts";
import { formsOf } from "../forms.ts";
import type { Draft } from "../test.ts";
import { until } from "../time.ts";
import { withoutStopRequest } from "./skips.ts";

const STOP_TIMEOUT = 300;
/** Milliseconds that the operation runs, because the server does not learn of the stop. */
const LONG = 3_000;

export function silentServer<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const isShared = adapter.documented?.shared === true;
  return formsOf(adapter).map((form) => ({
    name: `${form.name} whose stop is never answered is abandoned after the stop timeout, and its connection is ${isShared ? "used again" : "destroyed"}`,
    skip: withoutStopRequest(adapter),
    run: (withStage) =>
      withStage({ stopTimeout: STOP_TIMEOUT }, async (stage) => {
        const ctx = stage.context(withLedger(background()));
        const running = await stage.startRunning(form, ctx, LONG);
        const { link } = stage;
        stage.onStop = () => "drop";
        const start = performance.now();
        ctx.cancel();
        const outcome = await settled(form.name, running);
        const took = performance.now() - start;
        const isRunning = await adapter.isRunning(running.task.tag);
        check(stage.stops > 0, `${form.name} sent no stop that \`isStopRequest\` recognizes`);
        expectContextError(form.name, outcome, ctx);
        check(
          took < LONG - STOP_TIMEOUT,
          `${form.name} settled ${took.toFixed(0)} ms after its context, although the stop timeout is ${STOP_TIMEOUT} ms: pass \`stopTimeout\` to \`runStoppable\``,
        );
        const states = (await receiptsOf(form.name, ctx)).map(({ state }) => state);
        check(
          states.includes("abandoned") || !isRunning,
          `the receipt says "${states.join(", ")}", but the server did not confirm the stop of ${form.name}: pass the state of \`release\` to \`work.end\``,
        );
        if (link !== undefined && !isShared) {
          await until(
            `the connection of ${form.name} was not destroyed after the stop timeout, so the stop can still hit its next user: close it in \`destroy\``,
            () => link.isClosed,
            2_000,
          );
        }
        await stage.expectUsable("after the stop timeout");
      }),
  }));
}
