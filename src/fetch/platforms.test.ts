/** Runs the package with only those globals that browsers, Deno, Bun and Workers have too. */
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { serve } from "../../test/support/web.ts";

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from "./index.ts"; export * from "./fetch/index.ts";`,
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
      loader: "ts",
    },
    ...{ bundle: true, write: false, format: "iife", globalName: "eightysix" },
    ...{ platform: "neutral", target: "es2022", logLevel: "error" },
  });
  return outputFiles[0]!.text;
}

class NoByteStreams<T> extends ReadableStream<T> {
  constructor(source?: { type?: unknown }, strategy?: object) {
    if (source?.type !== undefined) throw new TypeError("byte streams are not supported");
    super(source as never, strategy);
  }
}

test.each<[string, Record<string, unknown>]>([
  ["all globals of web platforms", { ReadableStream, FinalizationRegistry }],
  [
    "neither byte streams nor FinalizationRegistry",
    { ReadableStream: NoByteStreams, FinalizationRegistry: undefined },
  ],
])("fetch works with %s and without Node's own globals", async (_, more) => {
  await using web = await serve((res, req) => {
    if (req.url === "/ok") res.end("ok");
    else res.write("half");
  });
  const { fetch, Headers, Request, Response, URL, TextDecoder, AbortController } = globalThis;
  const world = createContext({
    ...{ fetch, Headers, Request, Response, URL, TextDecoder, AbortController, Uint8Array },
    ...{ performance, setTimeout, clearTimeout, console, web, ...more },
  });
  const result: unknown = runInContext(
    `${await bundle()}
    const { background, withTimeout, wrapFetch } = eightysix;
    (async () => {
      const fetch = wrapFetch({ trusted: [web.host] });
      const ctx = withTimeout(background(), 500);
      const text = await (await fetch(ctx, web.url + "/ok")).text();
      const error = await (await fetch(ctx, web.url + "/half")).text().catch((err) => err);
      return [typeof process, text, error === ctx.err()].join();
    })()`,
    world,
  );
  expect(await result).toBe("undefined,ok,true");
  expect(web.seen[0]!.req.headers).toHaveProperty("x-request-timeout-ms");
});
