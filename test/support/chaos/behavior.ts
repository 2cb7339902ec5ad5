/** What the handlers of the server do, good ones and bad ones. */
import { setTimeout as delay } from "node:timers/promises";
import { afterFunc, sleep, startWork, type Context } from "../../../src/index.ts";
import type { Work } from "../framework-suite.ts";
import type { HandlerReply } from "../framework-suite/under-test.ts";
import { TIMEOUT, type RequestPlan } from "./plan.ts";

export const bug = new Error("a bug in the handler");
const LONG = "x".repeat(1 << 20);
const LONG_PART = LONG.slice(0, 1 << 18);

/** Handles a request as its plan says. The result is that of a `Work`. */
export async function behave(
  { behavior, reads, watched, step }: RequestPlan,
  ctx: Context,
  body: () => Promise<unknown>,
  reply: HandlerReply,
): Promise<Awaited<ReturnType<Work>>> {
  if (watched === "by callback") afterFunc(ctx, () => undefined);
  if (watched === "by signal") ctx.signal.addEventListener("abort", () => undefined);
  // Before the work starts: Node does not report the end of a body if the response was sent before.
  if (reads) await body();
  if (behavior === "ignores its context" || behavior === "ignores its context in parts") {
    await ignoreContext(ctx, step, reply);
    return behavior === "ignores its context" ? "late" : deafParts();
  }
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

/**
 * Takes up to twice the timeout, as a handler without contexts does. If its request has ended by then,
 * also does what no other handler may do: it uses the response behind the back of the framework.
 */
async function ignoreContext(ctx: Context, step: number, { header, res }: HandlerReply) {
  await delay((step * TIMEOUT) / 10);
  if (ctx.err() === undefined) return;
  await delay(20); // the framework answers in this time
  header?.("x-late", "1");
  res?.write("0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

async function* deafParts() {
  for (let i = 0; i < 5; i++) {
    yield `part ${i}\n`;
    await delay(1);
  }
}
