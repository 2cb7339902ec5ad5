/** Operations, transactions, connections and streams that are canceled at every step. */
import type { Context } from "../../../index.ts";
import type { AdapterUnderTest, TransactionUnderTest } from "../adapter.ts";
import { expectCommitted } from "../committed.ts";
import { check } from "../expect.ts";
import { closesConnections, formsOf, numberOf, runInTransaction } from "../forms.ts";
import { nextTag, reusesAlways, show, type Stage } from "../stage.ts";
import { cancelAtEveryStep } from "../steps.ts";
import type { Draft, WithStage } from "../test.ts";
import { limited, outcomeOf, type Outcome } from "../time.ts";
import { without } from "./skips.ts";

/** Milliseconds of work in an operation that is canceled at every step, so that some stops find it running. */
const SHORT = 15;
/** Milliseconds for one run of an operation that is canceled at a step. */
const STEP_LIMIT = 6_000;

export function everyStepOf<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const skip = without(adapter, "transaction", "committed");
  return [
    {
      name: "a transaction that is canceled at any step is committed as a whole or not at all",
      skip,
      limits: 6,
      run: (withStage) =>
        everyStep(
          withStage,
          async (stage, ctx) =>
            await runInTransaction(adapter, stage.db, ctx, async (tx) => {
              await tx.write(ctx, 1);
              if (tx.nested !== undefined) await rollBackNested(ctx, tx);
              await tx.run(ctx, { i: 7, ms: SHORT, tag: nextTag() });
              await tx.write(ctx, 3);
            }),
          async (outcome) =>
            expectCommitted(
              adapter,
              "value" in outcome ? [1, 3] : [],
              "value" in outcome ? "a transaction succeeded" : "a transaction rejected",
            ),
        ),
    },
    {
      name: "a transaction that the function of connection() leaves open is rolled back at any step",
      skip: without(adapter, "connection", "committed"),
      limits: 6,
      run: (withStage) =>
        everyStep(
          withStage,
          async (stage, ctx) =>
            await adapter.connection?.(stage.db, ctx, async (own) => {
              await own.begin?.(ctx);
              if (own.begin !== undefined) await own.write?.(ctx, 1);
              await own.run(ctx, { i: 7, ms: SHORT, tag: nextTag() });
            }),
          () =>
            expectCommitted(adapter, [], "the function of connection() left a transaction open"),
          closesConnections(adapter),
        ),
    },
    ...formsOf(adapter).map((form): Draft<Db> => ({
      name: `${form.name} that is canceled at any step has a right result or rejects with ctx.err()`,
      limits: 6,
      run: (withStage) =>
        everyStep(
          withStage,
          async (stage, ctx) => await form.run(stage.db, ctx, { i: 7, ms: SHORT, tag: nextTag() }),
          (outcome) => {
            if ("value" in outcome) check(outcome.value === 7, `${form.name}: ${show(outcome)}`);
          },
          form.afterEnd === "destroy",
        ),
    })),
    {
      name: "a stream that is canceled at any step and left at row 3 gives its connection back",
      skip: without(adapter, "stream"),
      limits: 6,
      run: (withStage) =>
        everyStep(
          withStage,
          async (stage, ctx, step) => {
            const task = { count: 5, ms: 1, tag: nextTag() };
            for await (const row of adapter.stream?.(stage.db, ctx, task) ?? []) {
              step(`row ${numberOf(row)}`);
              if (numberOf(row) === 3) return 3;
            }
            return 0;
          },
          (outcome) => {
            if ("value" in outcome) check(outcome.value === 3, `a stream ended before row 3`);
          },
        ),
    },
    {
      name: "a stream that is canceled at any row is complete or throws ctx.err()",
      skip: without(adapter, "stream"),
      limits: 6,
      run: (withStage) =>
        everyStep(
          withStage,
          async (stage, ctx, step) => {
            let seen = 0;
            const task = { count: 5, ms: 1, tag: nextTag() };
            for await (const row of adapter.stream?.(stage.db, ctx, task) ?? []) {
              seen = numberOf(row);
              step(`row ${seen}`);
            }
            return seen;
          },
          (outcome) => {
            if ("value" in outcome) {
              check(outcome.value === 5, `a stream of 5 rows ended early: ${show(outcome)}`);
            }
          },
        ),
    },
  ];
}

const ROLL_BACK = new Error("rolls a nested transaction back");

async function rollBackNested(ctx: Context, tx: TransactionUnderTest): Promise<void> {
  const outcome = await outcomeOf(
    Promise.resolve(
      tx.nested?.(ctx, async (inner) => {
        await inner.write(ctx, 2);
        throw ROLL_BACK;
      }),
    ),
  );
  if ("error" in outcome && outcome.error !== ROLL_BACK) throw outcome.error;
}

/**
 * Cancels an operation at every step, and checks after each run that the pool is whole. If not
 * `mayDestroy`, no connection may be destroyed.
 */
async function everyStep<Db, T>(
  withStage: WithStage<Db>,
  run: (stage: Stage<Db>, ctx: Context, step: (name: string) => void) => Promise<T>,
  expect: (outcome: Outcome) => Promise<void> | void,
  mayDestroy = false,
): Promise<void> {
  await withStage({}, async (stage) => {
    await cancelAtEveryStep({
      relay: stage.relay,
      run: (ctx, step) =>
        limited("the operation did not settle", run(stage, ctx, step), STEP_LIMIT),
      async check(outcome) {
        stage.watchStops();
        await expect("value" in outcome ? outcome : { error: outcome.stopped });
        await stage.expectWhole("after a cancel");
        check(
          mayDestroy || stage.destroyed === 0 || !reusesAlways(stage.adapter),
          "a connection was destroyed after a cancel, although nothing was silent or broken",
        );
      },
    });
    stage.watchStops();
  });
}
