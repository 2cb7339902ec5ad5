/** `requestInit` with Node's own HTTP client. */
import { get } from "node:http";
import { expect, test } from "vitest";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import {
  background,
  isDeadlineExceeded,
  key,
  withCancel,
  withTimeout,
  withValue,
} from "../index.ts";
import { BudgetTooSmallError, requestInit } from "./index.ts";

const TraceParent = key<string>("traceparent");

test("http.request with requestInit stops when ctx ends, and the cause of its error is ctx.err()", async () => {
  await using web = await serve(() => undefined);
  using ctx = withTimeout(background(), 100);
  const error = await new Promise((resolve) => {
    get(web.url, requestInit(ctx, web.url)).on("error", resolve);
  });
  expect((error as Error).cause).toBe(ctx.err());
  expect(isDeadlineExceeded(error)).toBe(true);
  await until(() => web.seen.every(({ gone }) => gone));
});

test("requestInit adds the deadline and the values to the caller's headers for a trusted host", async () => {
  await using web = await serve((res) => res.end());
  using timed = withTimeout(background(), 1_000);
  const ctx = withValue(timed, TraceParent, "00-1-2-01");
  const init = requestInit(ctx, new URL(web.url), {
    trusted: [web.host],
    values: [[TraceParent, "traceparent"]],
    headers: { "X-Request-Timeout-Ms": "5000", accept: "*/*" },
  });
  expect(Object.keys(init.headers)).toEqual(["X-Request-Timeout-Ms", "accept", "traceparent"]);
  await new Promise((resolve) => get(web.url, init).on("close", resolve));
  const { headers } = web.seen[0]!.req;
  expect(headers).toMatchObject({ accept: "*/*", traceparent: "00-1-2-01" });
  expect(Number(headers["x-request-timeout-ms"])).toBeLessThan(1_000);
});

test("requestInit returns only the caller's headers for an untrusted host", () => {
  using ctx = withTimeout(background(), 1_000);
  const headers = { "x-request-timeout-ms": "5000" };
  expect(requestInit(ctx, "http://other/", { headers }).headers).toEqual(headers);
});

test("requestInit throws if ctx is done, has too little time, or is not a context", () => {
  const ctx = withCancel(background());
  ctx.cancel();
  expect(() => requestInit(ctx, "http://x/")).toThrow(ctx.err());
  using short = withTimeout(background(), 1_000);
  expect(() => requestInit(short, "http://x/", { minimum: 2_000 })).toThrow(BudgetTooSmallError);
  expect(() => requestInit({} as never, "http://x/")).toThrow(
    "write requestInit(ctx, url, options)",
  );
});
