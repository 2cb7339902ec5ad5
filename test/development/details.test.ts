/** The details of warnings that development mode is not needed for begin at the program, too. */
import { expect, test } from "vitest";
import { HeldConnection, explainWait } from "../../src/adapter/held-connection.ts";
import { rememberOrigin, warnOfForeignEnd } from "../../src/http/respond/foreign-end.ts";
import { background, detach, sleep, withCancel } from "../../src/index.ts";
import { handler } from "../../src/http/index.ts";
import { serve } from "../raw-http.ts";
import { turn } from "../support.ts";
import { inDevelopment } from "../support/development.ts";

const warnings = inDevelopment();
const OWN_FRAMES = /^(?: {4}at [^\n]*details\.test\.ts[^\n]*\n?)+$/;

test("a failed function of detach is reported with its message and the frames of the program", async () => {
  detach(background(), 1_000, async (ctx) => {
    const inner = withCancel(ctx);
    inner.cancel();
    await sleep(inner, 1);
  });
  detach(background(), 1_000, () => {
    throw new TypeError("first line\nsecond line");
  });
  await turn();
  const [thrown, canceled] = warnings.map(({ detail }) => detail);
  expect(warnings[0]?.code).toBe("EIGHTYSIX_DETACHED_FAILED");
  expect(warnings[0]?.message).toMatch(
    /repair it, or take its error with the option onDetachedError/,
  );
  expect(canceled).toMatch(/^AbortError: context canceled\n {4}at .*details\.test\.ts/);
  expect(thrown).toMatch(/^TypeError: first line\nsecond line\n {4}at .*details\.test\.ts/);
});

test("a call that waits for itself is reported with the frames of the program", async () => {
  const [pool, ctx] = [{}, background()];
  await new HeldConnection(pool, ctx, "transaction(ctx, …)").callFunction(() =>
    explainWait(pool, ctx),
  );
  await turn();
  expect(warnings[0]?.code).toBe("EIGHTYSIX_WAITS_FOR_ITSELF");
  expect(warnings[0]?.detail).toMatch(/^ {4}at .*details\.test\.ts/);
  expect(warnings[0]?.detail.split("\n").at(-1)).toMatch(/details\.test\.ts/);
});

test("the context of another request is reported with the frames of the program, if there are any", async () => {
  const [own, ofFramework] = [withCancel(background()), withCancel(background())];
  rememberOrigin({ method: "GET", url: "/own" }, own);
  setImmediate(rememberOrigin, { method: "GET", url: "/framework" }, ofFramework);
  await turn();
  await turn();
  for (const ctx of [own, ofFramework]) {
    ctx.cancel();
    await turn();
    warnOfForeignEnd({ method: "GET", url: "/later" }, ctx.err());
  }
  await turn();
  const [first = "", ...frames] = warnings[0]?.detail.split("\n") ?? [];
  expect(first).toBe("the other request is GET /own; its context was taken here");
  expect(frames.join("\n")).toMatch(OWN_FRAMES);
  expect(warnings[1]?.detail).toBe("the other request is GET /framework");
});

test("a handler that failed is reported with the frames of the program alone", async () => {
  const fail = handler(() => {
    throw new Error("a bug");
  });
  await using server = await serve(fail);
  const client = await server.client();
  client.get();
  await client.answer();
  client.socket.destroy();
  const report = warnings.find(({ code }) => code === "EIGHTYSIX_HANDLER_FAILED");
  expect(report?.detail).toMatch(/^Error: a bug\n {4}at .*details\.test\.ts/);
  expect(report?.detail).not.toContain("node:");
});
