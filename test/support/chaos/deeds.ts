/** The server's side of the chaos: what handlers do, good ones and bad ones. */
import { afterFunc, sleep, startWork, type Context } from "../../../src/index.ts";
import type { Work } from "../framework-suite.ts";
import type { RequestPlan } from "./plan.ts";

export const bug = new Error("a bug of the handler's");
const LONG = "x".repeat(1 << 20);
const LONG_PART = LONG.slice(0, 1 << 18);

/** Does what the plan of the request says, in the way of `framework.app`. */
export async function doDeed(
  { deed, reads, watched, step }: RequestPlan,
  ctx: Context,
  body: () => Promise<unknown>,
): Promise<Awaited<ReturnType<Work>>> {
  if (watched === "by callback") afterFunc(ctx, () => undefined);
  if (watched === "by signal") ctx.signal.addEventListener("abort", () => undefined);
  // No part of the job: Node does not say that a body has ended whose request was answered before.
  if (reads) await body();
  const job = startWork(ctx, "test.chaos", deed);
  try {
    switch (deed) {
      case "answers at once":
        return "at once";
      case "answers later":
        await sleep(ctx, step);
        return "later";
      case "answers in parts":
        return parts(ctx, step / 4, 5);
      case "answers at length":
        return LONG;
      case "answers in long parts":
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
    job.end();
  }
}

async function* parts(ctx: Context, pause: number, count: number) {
  for (let i = 0; i < count; i++) {
    yield `part ${i}\n`;
    const job = startWork(ctx, "test.part");
    try {
      await sleep(ctx, pause);
    } finally {
      job.end();
    }
  }
}

async function* partsAndABug(ctx: Context, pause: number) {
  yield* parts(ctx, pause, 2);
  throw bug;
}

/** As fast as they are taken. */
async function* longParts() {
  for (let i = 0; i < 8; i++) yield await Promise.resolve(LONG_PART);
}
