import express from "express";
import { expect, onTestFinished, test, vi } from "vitest";
import { tell } from "../../test/support/race.ts";
import { wrongs } from "../../test/support/chaos/account.ts";
import { chaos } from "../../test/support/chaos/chaos.ts";
import { serveHttp1 } from "../../test/support/chaos/http1.ts";
import { serveHttp2 } from "../../test/support/chaos/http2.ts";
import { withUsualMiddleware } from "../../test/support/chaos/usual-middleware.ts";
import type { Subject } from "../../test/support/chaos/stage.ts";
import { express5, expressOld, old } from "../../test/support/frameworks/express.ts";
import { fastify5 } from "../../test/support/frameworks/fastify.ts";
import { honoAsFetch, honoOnNode } from "../../test/support/frameworks/hono.ts";
import { bareHandler } from "../../test/support/frameworks/http.ts";
import { koa3 } from "../../test/support/frameworks/koa.ts";
import { fetchHandlers } from "../../test/support/frameworks/web.ts";

const requests = Number(process.env["EIGHTYSIX_TEST_REQUESTS"] ?? 300);
const seed = Number(process.env["EIGHTYSIX_TEST_SEED"] ?? Date.now() % 1_000_000);

vi.setConfig({ testTimeout: 60_000 + requests * 20 });

const onConnection = { detectsBy: "connection", serve: serveHttp1 } as const;
const onSignal = { detectsBy: "signal", serve: serveHttp1 } as const;
const subjects: Subject[] = [
  { framework: bareHandler, ...onConnection },
  {
    framework: { ...bareHandler, name: "handler over HTTP/2" },
    detectsBy: "stream",
    serve: serveHttp2,
  },
  { framework: express5, ...onConnection },
  { framework: expressOld, ...onConnection },
  { ...withUsualMiddleware("Express 5 with the usual middleware", express), ...onConnection },
  { ...withUsualMiddleware("Express 4 with the usual middleware", old), ...onConnection },
  { framework: fastify5, ...onConnection },
  { framework: koa3, ...onConnection },
  { framework: honoOnNode, ...onConnection },
  { framework: honoAsFetch, ...onSignal },
  { framework: fetchHandlers, ...onSignal },
];

/**
 * Drops what @hono/node-server prints: the error that ends a stream. A mock of vitest would keep the
 * errors, whose stacks keep their requests.
 */
function silenceConsole(): void {
  vi.stubGlobal("console", { ...console, error: () => undefined });
  onTestFinished(() => void vi.unstubAllGlobals());
}

test.each(subjects.map((subject) => [subject.framework.name, subject] as const))(
  `%s: clients that disconnect at random leave nothing behind (seed ${seed})`,
  async (_, subject) => {
    silenceConsole();
    const account = await chaos(subject, { requests, seed });
    tell(account);
    expect(wrongs(account)).toEqual({});
    expect(subject.complaints?.().slice(0, 5) ?? []).toEqual([]);
    expect(account.noticed).toBeGreaterThan(0);
  },
);
