/** Ended at every point and at any moment: whole or stopped, and nobody else is hit. */
import { describe, expect, test } from "vitest";
import { race, unhandledRejections } from "../../test/support/race.ts";
import { cancelAtEveryStep, startRelay, type Split } from "../../test/support/steps.ts";
import { until } from "../../test/support/wait.ts";
import { serve } from "../../test/support/web.ts";
import { background, withDeadline, withLedger, working, type Context } from "../index.ts";
import { fetch, wrapFetch } from "./index.ts";

const unhandled = unhandledRejections();

/** HTTP, in pieces of 100 bytes at most. */
const pieces: Split = (bytes) => {
  const length = Math.min(bytes.length, 100);
  return length === 0 ? undefined : { name: `${length} bytes`, length };
};

const TEXT = "0123456789".repeat(20);

describe("ended at every step", () => {
  const cases: [string, (ctx: Context, url: string) => Promise<string>][] = [
    ["a request", async (ctx, url) => await (await fetch(ctx, url)).text()],
    [
      "a redirect that is told the deadline",
      async (ctx, url) => {
        const told = wrapFetch({ trusted: ["127.0.0.1"] });
        using timed = withDeadline(ctx, Date.now() + 60_000);
        return await (await told(timed, `${url}/moved`)).text();
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
  test.each(cases)("%s is whole or stopped, and the next one works", async (_, run) => {
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

test("late ends hit nobody: the connections are shared, and every innocent request is answered", async () => {
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
