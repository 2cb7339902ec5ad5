/** The wait for a connection of the pool. */
import { background, withLedger, working } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, expectContextError, settled } from "../expect.ts";
import { formsOf, plainForm } from "../forms.ts";
import { nextTag, show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { limited, outcomeOf, pause, until } from "../time.ts";

/** Milliseconds for an operation to enter the queue. If it is slower, the test holds it to less. */
const ENTERS = 50;

export function waits<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const holder = plainForm(adapter);
  const skip =
    adapter.documented?.waits === false && "documented.waits is false: no operation waits";
  return formsOf(adapter).map((form) => ({
    name: `${form.name} that waits for a connection leaves the queue when its context ends, and the connection goes to the next caller`,
    skip,
    run: (withStage) =>
      withStage({}, async (stage) => {
        const { pool } = stage.opened;
        const holderCtx = stage.context();
        const held = await stage.startRunning(holder, holderCtx, 60_000);
        const ctx = stage.context(withLedger(background()));
        const task = { i: 1, ms: 60_000, tag: nextTag() };
        const waiter = outcomeOf(form.run(stage.db, ctx, task));
        const next = outcomeOf(adapter.quick(stage.db, background(), 2));
        if (pool === undefined) {
          await pause(ENTERS); // nothing shows a caller that waits inside the adapter
        } else {
          await until(
            "an operation waits for a connection, but the pool does not show it",
            () => pool.waiting() >= 2,
            2_000,
          );
        }
        ctx.cancel();
        const left = await limited(
          `${form.name} waits for a connection, and did not reject when its context ended: wait with \`lease\``,
          waiter,
          2_000,
        );
        expectContextError(form.name, left, ctx);
        check(
          working(ctx).length === 0,
          "the ledger still lists the wait for a connection: end its work when the context ends",
        );
        check(
          await adapter.isRunning(held.task.tag),
          "the operation that holds the connection was stopped by the end of another context",
        );
        holderCtx.cancel();
        await settled("the operation that holds the connection", held);
        const served = await limited(
          "a connection that was granted to a caller whose context had ended did not go to the next caller: give it back in `giveBack` of `lease`",
          next,
          5_000,
        );
        check(
          "value" in served && served.value === 2,
          `the next caller in the queue must be served, but ${show(served)}`,
        );
        check(
          !(await adapter.isRunning(task.tag)),
          `${form.name} was sent after its context had ended: check the context when the connection is granted`,
        );
      }),
  }));
}
