/** A result that is faster than its stop is returned, or dropped if the adapter documents that. */
import type { AdapterUnderTest } from "../adapter.ts";
import { check, settled } from "../expect.ts";
import { plainForm } from "../forms.ts";
import { provokeLateStop } from "../late-stop.ts";
import { reusesAlways, show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { until } from "../time.ts";
import { withoutStopRequest } from "./skips.ts";

export function resultFirst<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const form = plainForm(adapter);
  const drops = adapter.documented?.lateResults === "dropped";
  return [
    {
      name: `a result that arrives before the stop is ${drops ? "dropped" : "returned"}, and the connection is ${reusesAlways(adapter) ? "used again" : "closed"}`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const late = await provokeLateStop(stage, form);
          const outcome = await settled(form.name, late);
          check(
            drops || ("value" in outcome && outcome.value === 7),
            `the operation had succeeded before its stop arrived, but ${show(outcome)}: return a result that you have`,
          );
          check(
            !drops || ("error" in outcome && outcome.error === late.ctx.err()),
            `a stop was sent, which may have changed the result, but ${show(outcome)}: reject with ctx.err(), as \`documented.lateResults\` says`,
          );
          if (!reusesAlways(adapter)) {
            await until(
              "the connection of a late stop was not closed: nothing proves that the stop was consumed",
              () => stage.destroyed === 1,
              2_000,
            );
          }
          await stage.expectUsable("after a late stop");
        }),
    },
  ];
}
