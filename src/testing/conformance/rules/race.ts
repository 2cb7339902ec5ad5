/** The seeded race: late stops among innocent operations. */
import type { AdapterUnderTest, ConformanceOptions } from "../adapter.ts";
import { check } from "../expect.ts";
import { formsOf } from "../forms.ts";
import { runRace } from "../race.ts";
import { nextTag, reusesAlways, type Form } from "../stage.ts";
import type { Draft } from "../test.ts";

interface RaceOptions {
  readonly cancels: number;
  readonly seed: number;
  readonly onRace: ConformanceOptions["onRace"];
}

export function races<Db>(
  adapter: AdapterUnderTest<Db>,
  { cancels, seed, onRace }: RaceOptions,
): Draft<Db>[] {
  const forms = formsOf(adapter);
  const [first] = forms as [Form<Db>, ...Form<Db>[]];
  return [1, 4].map((connections) => ({
    name: `${cancels} late cancels over ${connections} ${connections === 1 ? "connection" : "connections"} hit no other operation`,
    limits: 10,
    run: (withStage) =>
      withStage({ connections }, async (stage) => {
        const { db } = stage;
        let closed = 0;
        const result = await runRace({
          seed: seed + connections,
          cancels,
          workers: 3 * connections,
          guilty: (ctx, i, seconds) => {
            const form = forms[i % forms.length] ?? first;
            if (form.afterEnd === "destroy") closed++;
            return form.run(db, ctx, { i, ms: seconds * 1_000, tag: nextTag() });
          },
          innocent: (ctx, i) => adapter.quick(db, ctx, i),
        });
        onRace?.(result);
        const { victims, leaked, canceled, innocent, failures } = result;
        const again = `repeat it with seed: ${seed}`;
        check(
          victims === 0,
          `${victims} innocent operations were hit by a stop, or got a foreign result (${again}): ${String(failures[0])}`,
          failures[0],
        );
        check(failures.length === 0, `${String(failures[0])} (${again})`, failures[0]);
        check(leaked === 0, `${leaked} pieces of work are still in the ledger (${again})`);
        check(canceled > 0 && innocent > 0, `the race canceled nothing (${again})`);
        await stage.expectWhole("after the race");
        const destroyed = stage.destroyed;
        check(
          destroyed <= closed || !reusesAlways(adapter),
          `${destroyed} connections were destroyed, although nothing was silent or broken (${again})`,
        );
      }),
  }));
}
