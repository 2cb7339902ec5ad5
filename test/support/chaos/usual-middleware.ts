/** Express with the middleware that people put beside `contexts()`. */
import { Writable } from "node:stream";
import { inspect } from "node:util";
import compression from "compression";
import cors from "cors";
import type express from "express";
import session from "express-session";
import helmet from "helmet";
import morgan from "morgan";
import multer from "multer";
import { pinoHttp } from "pino-http";
import { contextErrors, contexts, route } from "../../../src/express/index.ts";
import { express5, replyOf, sendAnswer } from "../frameworks/express.ts";
import { bug } from "./behavior.ts";
import type { Subject } from "./stage.ts";

/** A body larger than any of the client's. */
const limit = "1mb";

/** Takes some milliseconds for everything, and keeps nothing. */
class SlowStore extends session.Store {
  #count = 0;

  #answer(callback: (() => unknown) | undefined): void {
    if (callback) setTimeout(callback, this.#count++ % 7);
  }

  get(_id: string, callback: (error: unknown, data?: null) => void): void {
    this.#answer(() => callback(undefined, null));
  }

  set(_id: string, _data: session.SessionData, callback?: () => void): void {
    this.#answer(callback);
  }

  override touch(_id: string, _data: session.SessionData, callback?: () => void): void {
    this.#answer(callback);
  }

  destroy(_id: string, callback?: () => void): void {
    this.#answer(callback);
  }
}

/** Returns an application of this version of Express, and what its own code should not have seen. */
export function withUsualMiddleware(
  name: string,
  make: typeof express,
): Pick<Subject, "framework" | "complaints"> {
  const complaints: string[] = [];
  const into = (check: (line: string) => void) =>
    new Writable({
      write(line: Buffer, _encoding, done) {
        check(String(line));
        done();
      },
    });
  const framework = {
    ...express5,
    name,
    app: (...[work, options]: Parameters<typeof express5.app>) => {
      const app = make();
      app.use(
        morgan(":method :url :status", {
          stream: into((line) => line.endsWith(" -\n") && complaints.push(`morgan: ${line}`)),
        }),
        pinoHttp(
          {},
          into((line) => {
            const { res } = JSON.parse(line) as { res?: { statusCode: number | null } };
            if (res?.statusCode === null) complaints.push(`pino-http: ${line}`);
          }),
        ),
        contexts(options),
        helmet(),
        cors(),
        compression({ threshold: 0 }),
        session({
          ...{ secret: "x", resave: true, saveUninitialized: true, rolling: true },
          store: new SlowStore(),
        }),
        ...[
          make.json({ limit }),
          make.text({ limit }),
          make.urlencoded({ limit, extended: false }),
        ],
        ...[make.raw({ limit }), multer().any()],
      );
      app.all(
        "/",
        route(async (ctx, req, res) => {
          if (req.method === "POST" && req.body === undefined) complaints.push("a body is missing");
          const answer = await work(ctx, () => Promise.resolve([]), replyOf(res));
          sendAnswer(res, answer);
        }),
      );
      app.use(contextErrors());
      app.use(((error: { status?: number }, _req, res, next) => {
        if (error !== bug && error.status !== 503) complaints.push(inspect(error));
        if (res.headersSent) next(error);
        else res.status(error.status ?? 500).send("sorry");
      }) as express.ErrorRequestHandler);
      return app;
    },
  };
  return { framework, complaints: () => complaints };
}
