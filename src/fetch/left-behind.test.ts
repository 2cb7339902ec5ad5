/** Requests leave nothing on a long-lived context, even if the caller drops the response. */
import { expect, test } from "vitest";
import { collected, heap } from "../../test/support.ts";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import { background, withCancel, withLedger, withTimeout, working } from "../index.ts";
import { fetch } from "./index.ts";

const parentOf = () => withTimeout(withLedger(background()), 1e6);

test("a response that is dropped unread releases its connection and its context when it is collected", async () => {
  await using web = await serve((res) => res.write("half"));
  const ctx = parentOf();
  // Each is a function, so that no variable here keeps a response reachable.
  const drop = async (): Promise<void> => void (await fetch(ctx, web.url));
  const dropBody = async (): Promise<void> => void (await fetch(ctx, web.url)).body;
  const dropHalfRead = async (): Promise<void> => {
    await (await fetch(ctx, web.url)).body?.getReader().read();
  };
  const dropClone = async (): Promise<void> => void (await fetch(ctx, web.url)).clone();
  for (const dropResponse of [drop, dropBody, dropHalfRead, dropClone]) await dropResponse();
  expect(working(ctx)).toHaveLength(4);
  expect(await collected(() => working(ctx).length === 0 && !isWatched(scopeOf(ctx)!), 200)).toBe(
    true,
  );
  await until(() => web.seen.every(({ gone }) => gone));
  expect(ctx.err()).toBeUndefined();
});

test("a body that is still reachable keeps its connection and can be read", async () => {
  await using web = await serve((res) => {
    res.write("ha");
    setTimeout(() => res.end("lf"), 300);
  });
  const ctx = parentOf();
  const body = await (async () => (await fetch(ctx, web.url)).body!)();
  await collected(() => false, 20);
  expect(working(ctx)).toHaveLength(1);
  let text = "";
  for await (const bytes of body) text += new TextDecoder().decode(bytes as Uint8Array);
  expect(text).toBe("half");
});

test("two thousand requests that were read or canceled leave nothing behind", async () => {
  await using web = await serve((res, req) => {
    if (req.url === "/ok") res.end("ok");
    else if (req.url === "/half") res.write("half");
  });
  const parent = parentOf();
  const once = async (i: number): Promise<void> => {
    const ctx = i % 2 === 0 ? withTimeout(parent, 1e5) : parent;
    const signal = new AbortController().signal;
    if (i % 20 === 0) {
      const cut = withCancel(ctx);
      const response = await fetch(cut, `${web.url}/half`, { signal });
      cut.cancel();
      await response.text().catch(() => undefined);
    } else await (await fetch(ctx, `${web.url}/ok`, { signal })).text();
  };
  const use = async (n: number): Promise<void> => {
    for (let i = 0; i < n; i += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, j) => once(i + j)));
    }
    web.seen.length = 0;
  };
  await use(400);
  await collected(() => false, 5);
  const before = heap();
  await use(2_000);
  expect([working(parent).length, isWatched(scopeOf(parent)!)]).toEqual([0, false]);
  // An exchange with its response takes several kilobytes, so 2,000 of them would take ten megabytes.
  expect(await collected(() => heap() - before < 4_000_000)).toBe(true);
});
