/** A result that is faster than its stop is returned. */
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
  return [
    {
      name: `a result that arrives before the stop is returned, and the connection is ${reusesAlways(adapter) ? "used again" : "closed"}`,
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const late = await provokeLateStop(stage, form);
          const outcome = await settled(form.name, late);
          check(
            "value" in outcome && outcome.value === 7,
            `the operation had succeeded before its stop arrived, but ${show(outcome)}: return a result that you have`,
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
