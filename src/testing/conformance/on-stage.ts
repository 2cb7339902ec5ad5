/** Runs one test on a stage of its own. */
import type { AdapterUnderTest } from "./adapter.ts";
import { Stage, type StageOptions } from "./stage.ts";

/** Connects the adapter, runs the test, and checks that it has left the pool whole. */
export async function onStage<Db>(
  adapter: AdapterUnderTest<Db>,
  options: StageOptions,
  test: (stage: Stage<Db>) => Promise<void>,
): Promise<void> {
  const stage = await Stage.open(adapter, options);
  try {
    await stage.expectUsable("after open()"); // connected
    await test(stage);
    stage.onStop = stage.onOther = undefined;
    await stage.expectWhole("after the test");
  } catch (error) {
    await stage.close().catch(() => undefined); // the first failure counts
    throw error;
  }
  await stage.close();
}
