/** A result that is faster than its stop is returned. */
import type { AdapterUnderTest } from "../adapter.ts";
import { check, settled } from "../expect.ts";
import { plainForm } from "../forms.ts";
import { provokeLateStop } from "../late-stop.ts";
import { show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { withoutStopRequest } from "./skips.ts";

export function resultFirst<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const form = plainForm(adapter);
  return [
    {
      name: "a result that arrives before the stop is returned, and the connection is used again",
      skip: withoutStopRequest(adapter),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const late = await provokeLateStop(stage, form);
          const outcome = await settled(form.name, late);
          check(
            "value" in outcome && outcome.value === 7,
            `the operation had succeeded before its stop arrived, but ${show(outcome)}: return a result that you have`,
          );
          await stage.expectUsable("after a late stop");
        }),
    },
  ];
}
