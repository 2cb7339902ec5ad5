/** Requests that are canceled at every step and at random times. Other requests must not be affected. */
import { describe, expect, test } from "vitest";
import { race, unhandledRejections } from "../../test/support/race.ts";
import { cancelAtEveryStep, startRelay, type Split } from "../../test/support/steps.ts";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import { background, withDeadline, withLedger, working, type Context } from "../index.ts";
import { fetch, wrapFetch } from "./index.ts";

const unhandled = unhandledRejections();

/** Splits HTTP into pieces of at most 100 bytes. */
const pieces: Split = (bytes) => {
  const length = Math.min(bytes.length, 100);
  return length === 0 ? undefined : { name: `${length} bytes`, length };
};

const TEXT = "0123456789".repeat(20);

describe("when it is canceled at any step", () => {
  const cases: [string, (ctx: Context, url: string) => Promise<string>][] = [
    ["a request", async (ctx, url) => await (await fetch(ctx, url)).text()],
    [
      "a redirect with a deadline header",
      async (ctx, url) => {
        const send = wrapFetch({ trusted: ["127.0.0.1"] });
        using timed = withDeadline(ctx, Date.now() + 60_000);
        return await (await send(timed, `${url}/moved`)).text();
      },
    ],
    [
      "an upload that streams",
      async (ctx, url) => {
        const init = { method: "POST", body: new Response(TEXT).body, duplex: "half" as const };
        return await (await fetch(ctx, url, init)).text();
      },
    ],
  ];
  test.each(cases)("%s is complete or stopped, and the next request works", async (_, run) => {
    await using web = await serve((res, req) => {
      req.on("end", () => {
        if (req.url === "/moved") res.writeHead(302, { location: "/" }).end();
        else {
          res.write(TEXT);
          setImmediate(() => res.end(TEXT));
        }
      });
    });
    const { hostname, port } = new URL(web.url);
    const relay = await startRelay({ host: hostname, port: Number(port) }, pieces);
    const url = `http://127.0.0.1:${relay.port}`;
    const steps = await cancelAtEveryStep({
      relay,
      async run(outer) {
        const ctx = withLedger(outer);
        try {
          return await run(ctx, url);
        } finally {
          expect(working(ctx)).toEqual([]);
        }
      },
      async check(outcome) {
        if ("value" in outcome) expect(outcome.value).toBe(TEXT + TEXT);
        expect(await (await fetch(background(), url)).text()).toBe(TEXT + TEXT);
      },
    });
    expect(steps.length).toBeGreaterThan(5);
    await until(() => web.seen.every(({ gone, res }) => gone || res.writableFinished));
  });
});

test("late cancellations affect no other request on the shared connections", async () => {
  await using web = await serve((res, req) => {
    const [, i = "", seconds = "0"] = (req.url ?? "").split("/");
    res.write(" ");
    setTimeout(() => res.end(i), Number(seconds) * 1_000);
  });
  const result = await race({
    ...{ seed: 8, cancels: 1_000, workers: 10 },
    guilty: async (ctx, i, seconds) =>
      Number(await (await fetch(ctx, `${web.url}/${i}/${seconds}`)).text()),
    innocent: async (ctx, i) => Number(await (await fetch(ctx, `${web.url}/${i}/0`)).text()),
  });
  expect(result.late).toBeGreaterThan(0);
  expect(web.connections).toBeLessThan(web.seen.length); // they are shared
  expect(unhandled).toEqual([]);
});
