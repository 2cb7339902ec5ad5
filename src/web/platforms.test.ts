/** eightysix/web and eightysix/hono run where none of Node's modules exist. */
import { fileURLToPath } from "node:url";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";
import { expect, test } from "vitest";

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        export * from "./index.ts"; export { handler } from "./web/index.ts";
        export { contexts } from "./hono/index.ts"; export { Hono } from "hono";`,
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
      loader: "ts",
    },
    ...{ bundle: true, write: false, format: "iife", globalName: "eightysix" },
    // The part of eightysix/hono that is loaded only on Node. Here it would throw.
    external: ["node:*"],
    ...{ platform: "neutral", target: "es2022", logLevel: "error" },
  });
  return outputFiles[0]?.text ?? "";
}

test("the caller's deadline ends a request where there is no `process`", async () => {
  const { Headers, Request, Response, URL, AbortController, ReadableStream } = globalThis;
  const { performance, setTimeout, clearTimeout } = globalThis;
  const world = createContext({
    ...{ Headers, Request, Response, URL, AbortController, ReadableStream, TransformStream },
    ...{ performance, setTimeout, clearTimeout, console },
  });
  const result: unknown = runInContext(
    `${await bundle()}
    const { contexts, Hono, sleep, handler } = eightysix;
    const options = { timeout: 60_000, deadline: true };
    const app = new Hono();
    app.use(contexts(options));
    app.onError((_error, c) => c.text("failed", 500));
    app.get("/", (c) => sleep(c.var.ctx, Infinity));
    const fetch = handler((ctx) => sleep(ctx, Infinity), options);
    const request = () =>
      new Request("http://localhost/", { headers: { "x-request-timeout-ms": "20" } });
    (async () => {
      const answers = [await app.fetch(request()), await fetch(request())];
      return [typeof process, ...answers.map(({ status }) => status)].join();
    })()`,
    world,
  );
  expect(await result).toBe("undefined,504,504");
});
