/** A stop that arrives after its operation has ended hits nothing else. This is the main hazard. */
import { background } from "../../../index.ts";
import type { AdapterUnderTest, ConnectionUnderTest } from "../adapter.ts";
import { check, settled } from "../expect.ts";
import { formsOf, plainForm } from "../forms.ts";
import { HELD, provokeLateStop } from "../late-stop.ts";
import { nextTag, reusesAlways, show, type Form, type Stage } from "../stage.ts";
import type { Draft } from "../test.ts";
import { limited, outcomeOf } from "../time.ts";
import { without, withoutStopRequest } from "./skips.ts";

const TITLE = `a stop that was held back for ${HELD} ms`;

export function lateStops<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const forms = formsOf(adapter);
  const next = plainForm(adapter);
  const drafts = forms.map((form): Draft<Db> => ({
    name: `a late stop of ${form.name} hits no other operation`,
    skip: withoutStopRequest(adapter),
    run: (withStage) =>
      withStage({}, async (stage) => {
        const late = await provokeLateStop(stage, form);
        await expectNoVictim(
          stage,
          (task) => next.run(stage.db, background(), task),
          "the connection was given back before the stop had ended; give it back in `release`, which is called after `stop` has resolved",
        );
        await settled(form.name, late);
      }),
  }));
  const held = (
    name: string,
    skip: string | undefined,
    run: (stage: Stage<Db>, fn: (own: ConnectionUnderTest) => Promise<unknown>) => unknown,
  ): Draft<Db> => ({
    name: `a late stop of an operation in a ${name} hits no later operation there`,
    skip: withoutStopRequest(adapter) ?? skip,
    run: (withStage) =>
      withStage({}, async (stage) => {
        const running = run(stage, async (own) => {
          const form: Form<Db> = {
            name: "an operation",
            run: (_, ctx, task) => own.run(ctx, task),
          };
          const late = await provokeLateStop(stage, form);
          await settled(form.name, late);
          await expectNoVictim(
            stage,
            (task) => own.run(background(), task),
            "an operation settled before its stop had ended; settle when `stop` has resolved",
          );
        });
        // An adapter that has closed the connection cannot commit.
        await (reusesAlways(adapter) ? running : Promise.resolve(running).catch(() => undefined));
      }),
  });
  return [
    ...drafts,
    held("transaction", without(adapter, "transaction"), (stage, fn) =>
      adapter.transaction?.(stage.db, background(), fn),
    ),
    held("connection()", without(adapter, "connection"), (stage, fn) =>
      adapter.connection?.(stage.db, background(), fn),
    ),
  ];
}

/** Runs operations, the first of which still runs when the stop arrives. */
async function expectNoVictim<Db>(
  stage: Stage<Db>,
  run: (task: { i: number; ms: number; tag: string }) => PromiseLike<unknown>,
  advice: string,
): Promise<void> {
  const innocents = [2 * HELD, 10, 10].map(async (ms, n) => {
    const i = 100 + n;
    return { i, outcome: await outcomeOf(run({ i, ms, tag: nextTag() })) };
  });
  const ended = await limited(
    `after ${TITLE}, the next operations did not end: ${advice}`,
    Promise.all(innocents),
    5_000,
  );
  for (const { i, outcome } of ended) {
    // On a connection that was closed after the stop, no operation was sent.
    if ("error" in outcome && !reusesAlways(stage.adapter) && stage.link?.isClosed === true)
      continue;
    check(
      "value" in outcome && outcome.value === i,
      `${TITLE} hit another operation, which must resolve with ${i}, but ${show(outcome)}: ${advice}`,
      "error" in outcome ? outcome.error : undefined,
    );
  }
}
