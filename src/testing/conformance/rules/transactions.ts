/** Transactions that succeed, fail and are canceled. */
import type { Context } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { expectCommitted } from "../committed.ts";
import { check, expectContextError, settled } from "../expect.ts";
import { runInTransaction } from "../forms.ts";
import { show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { outcomeOf } from "../time.ts";
import { without } from "./skips.ts";

export function transactions<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const skip = without(adapter, "transaction", "committed");
  return [
    {
      name: "a transaction that succeeds is committed",
      skip,
      run: (withStage) =>
        withStage({}, async (stage) => {
          await adapter.committed?.();
          await runInTransaction(adapter, stage.db, stage.context(), async (tx) => {
            for (const n of [1, 2]) await tx.write(stage.context(), n);
          });
          await expectCommitted(adapter, [1, 2], "a transaction succeeded");
        }),
    },
    {
      name: "a transaction whose function throws is rolled back, and rejects with that error",
      skip,
      run: (withStage) =>
        withStage({}, async (stage) => {
          const own = new Error("thrown by the function");
          const outcome = await outcomeOf(
            runInTransaction(adapter, stage.db, stage.context(), async (tx) => {
              await tx.write(stage.context(), 1);
              throw own;
            }),
          );
          check(
            "error" in outcome && outcome.error === own,
            `the function of a transaction threw its own error, but ${show(outcome)}`,
          );
          await expectCommitted(adapter, [], "the function of a transaction threw");
        }),
    },
    {
      name: "a transaction that is canceled while an operation runs is rolled back",
      skip,
      run: (withStage) =>
        withStage({}, async (stage) => {
          const ctx = stage.context();
          const form = {
            name: "a transaction",
            run: async (_: Db, ctx: Context, task: { i: number; ms: number; tag: string }) =>
              await runInTransaction(adapter, stage.db, ctx, async (tx) => {
                await tx.write(ctx, 1);
                await tx.run(ctx, task);
              }),
          };
          const running = await stage.startRunning(form, ctx, 60_000);
          ctx.cancel();
          expectContextError("a transaction", await settled("a transaction", running), ctx);
          await expectCommitted(adapter, [], "a transaction was canceled");
        }),
    },
  ];
}
