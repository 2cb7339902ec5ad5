/** Cancels the function of `connection` while a statement runs there, with any SQL adapter. */
import { expect } from "vitest";
import { background, withCancel, type Context } from "../../src/index.ts";
import { rejection } from "./reports.ts";

type Use<Own> = (own: Own, ctx: Context) => Promise<unknown>;

/** How to use the adapter: `connection` calls its own, and `sleep` runs a statement that sleeps. */
export interface Connections<Own> {
  connection(ctx: Context, fn: (own: Own) => Promise<unknown>): Promise<unknown>;
  sleep: Use<Own>;
}

/** Runs `fn` on a connection, and cancels its context afterwards. `cleanUp` runs after the end. */
export async function cancelConnection<Own>(
  connections: Connections<Own>,
  fn: Use<Own>,
  cleanUp: Use<Own> | undefined,
): Promise<void> {
  using ctx = withCancel(background());
  const work = connections.connection(ctx, async (own) => {
    try {
      await fn(own, ctx);
      ctx.cancel();
      await connections.sleep(own, ctx);
    } finally {
      await cleanUp?.(own, ctx);
    }
  });
  expect(await rejection(work)).toBe(ctx.err());
}
