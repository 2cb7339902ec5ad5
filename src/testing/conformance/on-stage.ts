/** Runs one test on a stage of its own. */
import type { AdapterUnderTest } from "./adapter.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { limited } from "./time.ts";

/**
 * Connects the adapter, runs the test, and checks that it has left the pool whole. Rejects with
 * `message` after `limit` milliseconds. Closes the adapter in any case.
 */
export async function onStage<Db>(
  adapter: AdapterUnderTest<Db>,
  options: StageOptions,
  test: (stage: Stage<Db>) => Promise<void>,
  message: string,
  limit: number,
): Promise<void> {
  const stage = await limited("open() did not resolve", Stage.open(adapter, options), limit);
  const run = async (): Promise<void> => {
    await stage.expectUsable("after open()"); // connected
    await test(stage);
    stage.onStop = stage.onOther = undefined;
    await stage.expectWhole("after the test");
  };
  try {
    await limited(message, run(), limit);
  } catch (error) {
    await stage.close().catch(() => undefined); // the first failure counts
    throw error;
  }
  await stage.close();
}
