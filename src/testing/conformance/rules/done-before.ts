/** An operation whose context is done already is not sent. */
import type { AdapterUnderTest } from "../adapter.ts";
import { check, expectContextError, settled } from "../expect.ts";
import { formsOf } from "../forms.ts";
import { nextTag } from "../stage.ts";
import type { Draft } from "../test.ts";
import { outcomeOf } from "../time.ts";

export function doneBefore<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  return formsOf(adapter).map((form) => ({
    name: `${form.name} whose context is done already is not sent`,
    run: (withStage) =>
      withStage({}, async (stage) => {
        const ctx = stage.context();
        ctx.cancel();
        const before = stage.messages + stage.stops;
        const task = { i: 7, ms: 60_000, tag: nextTag() };
        const outcome = outcomeOf(form.run(stage.db, ctx, task));
        expectContextError(form.name, await settled(form.name, { outcome }), ctx);
        const isRunning = await adapter.isRunning(task.tag);
        const sent = stage.messages + stage.stops - before;
        check(
          sent === 0 && !isRunning,
          `${form.name} whose context was done already has sent ${sent} messages: call \`throwIfDone\` before anything else`,
        );
      }),
  }));
}
