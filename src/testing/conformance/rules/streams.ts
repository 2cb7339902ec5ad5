/** Streams that are read, left early and canceled. */
import { background } from "../../../index.ts";
import type { AdapterUnderTest, StreamTask } from "../adapter.ts";
import { check, expectContextError } from "../expect.ts";
import { numberOf } from "../forms.ts";
import { nextTag, type Stage } from "../stage.ts";
import type { Draft } from "../test.ts";
import { outcomeOf, limited, until } from "../time.ts";
import { without } from "./skips.ts";

/** More rows than an adapter fetches at a time. */
const MANY = 2_000;

export function streams<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const skip = without(adapter, "stream");
  const open = (
    stage: Stage<Db>,
    ctx: Parameters<NonNullable<AdapterUnderTest<Db>["stream"]>>[1],
    task: StreamTask,
  ): AsyncIterable<number | { readonly n: number }> => {
    const rows = adapter.stream?.(stage.db, ctx, task);
    if (rows === undefined) throw new Error("the description has no `stream`");
    return rows;
  };
  const draft = (name: string, run: (stage: Stage<Db>) => Promise<void>): Draft<Db> => ({
    name,
    skip,
    run: (withStage) => withStage({}, run),
  });
  const drafts = [
    draft("a stream delivers all rows in their order", async (stage) => {
      const seen: number[] = [];
      const task = { count: MANY, ms: 0, tag: nextTag() };
      for await (const row of open(stage, background(), task)) seen.push(numberOf(row));
      check(
        seen.length === MANY && seen.every((n, index) => n === index + 1),
        `a stream of the numbers from 1 to ${MANY} delivered ${seen.length} rows, from ${String(seen[0])} to ${String(seen.at(-1))}`,
      );
    }),
    draft("a stream whose loop is left early gives its connection back", async (stage) => {
      const task = { count: MANY, ms: 0, tag: nextTag() };
      for await (const row of open(stage, background(), task)) if (numberOf(row) === 2) break;
      await stage.expectUsable("after the loop of a stream was left");
      check(
        !(await adapter.isRunning(task.tag)),
        "the server still runs a stream whose loop was left: `close` must end it",
      );
    }),
    draft("a stream whose loop throws gives its connection back", async (stage) => {
      const own = new Error("thrown by the loop");
      const outcome = await outcomeOf(
        (async () => {
          const task = { count: MANY, ms: 0, tag: nextTag() };
          for await (const _ of open(stage, background(), task)) throw own;
        })(),
      );
      check("error" in outcome && outcome.error === own, "the error of the loop did not arrive");
      await stage.expectUsable("after the loop of a stream has thrown");
    }),
    draft("a stream that is canceled between two rows throws ctx.err()", async (stage) => {
      const ctx = stage.context();
      let seen = 0;
      const outcome = await outcomeOf(
        (async () => {
          for await (const row of open(stage, ctx, { count: MANY, ms: 0, tag: nextTag() })) {
            seen = numberOf(row);
            if (seen === 2) ctx.cancel();
          }
        })(),
      );
      expectContextError("a stream", outcome, ctx);
      check(seen === 2, `a stream that was canceled at row 2 went on to row ${seen}`);
    }),
    draft(
      "a stream that is canceled while its loop does not ask for rows gives its connection back",
      async (stage) => {
        const ctx = stage.context();
        const task = { count: MANY, ms: 0, tag: nextTag() };
        const outcome = await outcomeOf(
          (async () => {
            for await (const row of open(stage, ctx, task)) {
              if (numberOf(row) !== 2) continue;
              ctx.cancel();
              await stage.expectUsable("after a stream was canceled whose loop asks for no rows");
              await until(
                "the server still runs a stream that was canceled",
                async () => !(await adapter.isRunning(task.tag)),
                3_000,
              );
            }
          })(),
        );
        expectContextError("a stream", outcome, ctx);
      },
    ),
    draft(
      "a stream that is left while its loop waits for a row ends on the server",
      async (stage) => {
        const task = { count: 2, ms: 60_000, tag: nextTag() };
        const rows = open(stage, background(), task)[Symbol.asyncIterator]();
        const next = outcomeOf(rows.next());
        await until(
          "the server never ran the stream",
          async () => adapter.isRunning(task.tag),
          3_000,
        );
        const left = outcomeOf(Promise.resolve(rows.return?.()));
        await limited("return() of a stream did not resolve while a row was awaited", left, 5_000);
        await limited("next() of a stream that was left did not settle", next, 5_000);
        check(
          !(await adapter.isRunning(task.tag)),
          "the server still runs a stream that was left while a row was awaited",
        );
      },
    ),
  ];
  return drafts;
}
