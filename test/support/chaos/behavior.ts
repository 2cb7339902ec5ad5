/** What the handlers of the server do, good ones and bad ones. */
import { afterFunc, sleep, startWork, type Context } from "../../../src/index.ts";
import type { Work } from "../framework-suite.ts";
import type { RequestPlan } from "./plan.ts";

export const bug = new Error("a bug in the handler");
const LONG = "x".repeat(1 << 20);
const LONG_PART = LONG.slice(0, 1 << 18);

/** Handles a request as its plan says. The result is that of a `Work`. */
export async function behave(
  { behavior, reads, watched, step }: RequestPlan,
  ctx: Context,
  body: () => Promise<unknown>,
): Promise<Awaited<ReturnType<Work>>> {
  if (watched === "by callback") afterFunc(ctx, () => undefined);
  if (watched === "by signal") ctx.signal.addEventListener("abort", () => undefined);
  // Before the work starts: Node does not report the end of a body if the response was sent before.
  if (reads) await body();
  const work = startWork(ctx, "test.chaos", behavior);
  try {
    switch (behavior) {
      case "responds at once":
        return "at once";
      case "responds later":
        await sleep(ctx, step);
        return "later";
      case "responds in parts":
        return parts(ctx, step / 4, 5);
      case "responds at length":
        return LONG;
      case "responds in long parts":
        return longParts();
      case "fails":
        await sleep(ctx, step);
        throw bug;
      case "fails half way":
        return partsAndABug(ctx, step);
      case "waits for ever":
        await sleep(ctx, Infinity);
        return "never";
      case "sends for ever":
        return parts(ctx, 2, Infinity);
    }
  } finally {
    work.end();
  }
}

async function* parts(ctx: Context, pause: number, count: number) {
  for (let i = 0; i < count; i++) {
    yield `part ${i}\n`;
    const work = startWork(ctx, "test.part");
    try {
      await sleep(ctx, pause);
    } finally {
      work.end();
    }
  }
}

async function* partsAndABug(ctx: Context, pause: number) {
  yield* parts(ctx, pause, 2);
  throw bug;
}

/** Yields parts as fast as they are read. */
async function* longParts() {
  for (let i = 0; i < 8; i++) yield await Promise.resolve(LONG_PART);
}
