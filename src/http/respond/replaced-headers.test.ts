import { expect, test } from "vitest";
import { replaceFetchHeaders, replaceHeaders, replacedHeaders } from "./replaced-headers.ts";

test.each([
  ...["Trailer", "transfer-encoding", "content-length", "content-type", "Content-Disposition"],
  ...["expires", "cdn-cache-control", "surrogate-control", "surrogate-key", "accept-ranges"],
  ...["X-Accel-Redirect", "x-accel-expires", "x-sendfile", "cloudflare-cdn-cache-control"],
  ...["vercel-cdn-cache-control", "netlify-cdn-cache-control", "cache-control", "etag"],
  ...["last-modified", "content-encoding", "location"],
])("the header %s belongs to the body that is replaced", (name) => {
  expect(replacedHeaders([name])).toEqual([name]);
});

test.each([
  ...["access-control-allow-origin", "vary", "set-cookie", "strict-transport-security"],
  ...["content-security-policy", "x-request-id", "server-timing", "connection", "constructor"],
])("the header %s stays", (name) => {
  expect(replacedHeaders([name])).toEqual([]);
});

test("only headers that are set are removed, and no cache may keep the answer", () => {
  const calls: unknown[] = [];
  replaceHeaders({
    getHeaderNames: () => ["trailer", "vary"],
    removeHeader: (name) => void calls.push(name),
    setHeader: (...header) => calls.push(header),
  });
  expect(calls).toEqual(["trailer", ["cache-control", "no-store"]]);

  const headers = new Headers({ trailer: "x", vary: "origin", expires: "0" });
  replaceFetchHeaders(headers);
  expect([...headers]).toEqual([
    ["cache-control", "no-store"],
    ["vary", "origin"],
  ]);
});
