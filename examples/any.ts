/**
 * Asks three mirrors, and takes the first file that arrives. The mirror that is down does not
 * matter, and the slow download is canceled.
 *
 * prints: the slow download has stopped: another task was first
 * prints: the file, from b
 * prints: Error: c is down, Error: c is down
 */
import { any, background, cause, sleep, type Context } from "eightysix";

const delays: Record<string, number> = { a: 60_000, b: 20 };

async function download(ctx: Context, mirror: string): Promise<string> {
  const delay = delays[mirror];
  if (delay === undefined) throw new Error(`${mirror} is down`);
  try {
    await sleep(ctx, delay);
  } catch (error) {
    console.log("the slow download has stopped:", (cause(ctx) as Error).message);
    throw error;
  }
  return `the file, from ${mirror}`;
}

const from = (mirror: string) => (ctx: Context) => download(ctx, mirror);

console.log(await any(background(), ["a", "b", "c"].map(from)));
try {
  await any(background(), [from("c"), from("c")]);
} catch (error) {
  console.log((error as AggregateError).errors.map(String).join(", "));
}
