/** Late answers below the middleware that applications of Express use, before and after `contexts()`. */
import compression from "compression";
import cors from "cors";
import type express5 from "express";
import express from "express";
import helmet from "helmet";
import { describe, expect, test, vi } from "vitest";
import { serve, until, type Client } from "../../test/raw-http.ts";
import { failOnEscapes } from "../../test/support/escapes.ts";
import { slowSession } from "../../test/support/framework-suite/late-answers.ts";
import { old } from "../../test/support/frameworks/express.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import { contextErrors, contexts, route } from "./index.ts";

vi.setConfig({ testTimeout: 30_000 });

failOnEscapes();

const evil = "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nEVIL!";

/** What a handler does while the store of express-session holds the answer's last byte back. */
const deeds: Record<string, (res: express5.Response, next: (error: unknown) => void) => unknown> = {
  writes: (res) => res.write(evil),
  "sends JSON": (res) => res.json({ evil }),
  "sends a file": (res) => {
    res.sendFile(import.meta.filename);
  },
  "passes an error on": (_, next) => next(new Error("a bug")),
  throws: () => {
    throw new Error("a bug");
  },
  "sends, and passes an error on": (res, next) => {
    res.status(200).type("text/csv").send(evil);
    next(new Error("a bug"));
  },
  "destroys the response": (res) => res.destroy(),
};

type Path = (app: express5.Express) => unknown;
const paths: Record<string, Path> = {
  "contextErrors()": (app) => app.use(contextErrors()),
  "error middleware of its own": (app) => {
    app.use(contextErrors());
    app.use(((error, _req, res, next) => {
      if (res.headersSent) next(error);
      else res.status((error as { status?: number }).status ?? 500).send("Service Unavailable");
    }) as express5.ErrorRequestHandler);
  },
  "no error middleware": () => undefined,
};

const respond503 = (client: Client, nth: number) =>
  until(() => client.received.split("Service Unavailable").length > nth, client.received);

describe.each([
  ["5", express],
  ["4", old],
])("Express %s", (_, make) => {
  for (const [path, addErrors] of Object.entries(paths)) {
    for (const order of ["before", "after"]) {
      test.each(Object.entries(deeds))(
        `with contexts() ${order} other middleware and ${path}, a late handler that %s changes nothing`,
        async (__, deed) => {
          // The limit passes only after the handler has begun, and the second request has time.
          const clock = new ManualClock();
          using _ = useClock(clock);
          const { outside, begun, release } = slowSession();
          const app = make();
          if (order === "before") app.use(contexts({ timeout: 20 }));
          app.use(helmet(), cors(), compression({ threshold: "1mb" }));
          app.use(outside as express5.RequestHandler);
          if (order === "after") app.use(contexts({ timeout: 20 }));
          app.get(
            "/slow",
            route(async (_ctx, _req, res, next) => {
              setImmediate(() => clock.advance(20));
              res.set({ trailer: "x-late", "cache-control": "public", etag: '"1"' });
              await begun.opened;
              setTimeout(release, 20);
              await deed(res as never, next);
            }),
          );
          app.get("/", (_req, res) => {
            res.send("second");
          });
          addErrors(app);
          await using server = await serve(app);
          const client = await server.client();
          client.get("/slow");
          await begun.opened;
          client.get("/"); // pipelined
          await client.answer(2);
          await until(() => client.received.endsWith("second"));
          expect(client.statuses).toEqual([503, 200]);
          await respond503(client, 1);
          expect(client.received).not.toMatch(/EVIL|trailer|public|etag: "1"/i);
          expect(client.received).toMatch(
            /cache-control: no-store[^]*access-control-allow|access-control-allow[^]*cache-control: no-store/i,
          );
          expect(server.sockets.size).toBe(1);
        },
      );
    }
  }
});
