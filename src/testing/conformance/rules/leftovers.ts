/** Nothing is left behind: on a long-lived context, in the pool, or in the process. */
import { background, withCancel, withLedger, working } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, settled } from "../expect.ts";
import { formsOf } from "../forms.ts";
import type { ProcessReports } from "../process-reports.ts";
import { nextTag } from "../stage.ts";
import type { Draft } from "../test.ts";
import { pause } from "../time.ts";
import { WatchedContext } from "../watched-context.ts";

const OPERATIONS = 100;

export function leftovers<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  return formsOf(adapter).map((form) => ({
    name: `${form.name} leaves nothing on its context, also after ${OPERATIONS} operations`,
    run: (withStage) =>
      withStage({}, async (stage) => {
        const ctx = new WatchedContext(withLedger(background()));
        for (let i = 0; i < OPERATIONS; i++) {
          await form.run(stage.db, ctx, { i, ms: 0, tag: nextTag() });
        }
        const child = withCancel(ctx);
        const running = await stage.startRunning(form, child, 60_000);
        child.cancel();
        await settled(form.name, running);
        await pause(1); // what follows the caller's promise at once may still be registered
        check(
          ctx.watches === 0,
          `${ctx.watches} callbacks or listeners are still registered on the context of operations that have ended: unregister what \`afterFunc\` returned, and remove abort listeners`,
        );
        check(
          working(ctx).length === 0,
          "the ledger of a context still lists operations that have ended",
        );
      }),
  }));
}

export function processReports<Db>(
  adapter: AdapterUnderTest<Db>,
  reports: ProcessReports,
): Draft<Db>[] {
  return [
    {
      name: "no rejection was left without a handler, and no method of the adapter threw, in all of these tests",
      async run() {
        await pause(10); // rejections are reported after the turn in which they were left
        const found = reports.stop();
        check(
          found.length === 0,
          `during the tests of ${adapter.name} the process reported: ${found.map(String).join("; ")}`,
          found[0],
        );
      },
    },
  ];
}
