import { once } from "node:events";
import { Readable } from "node:stream";
import express from "express";
// @ts-expect-error -- its types are those of 5
import express4 from "express4";
import { contextErrors, contexts, route } from "../../../src/express/index.ts";
import { serve } from "../../../src/http/index.ts";
import type { Context } from "../../../src/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";
import type { Answer, HandlerReply } from "../framework-suite/under-test.ts";

/** 4, with the types of 5. */
export const old = express4 as typeof express;

function underTest(name: string, app: Build): FrameworkUnderTest {
  return {
    name,
    app,
    async served(work, options) {
      const server = app(work, {}).listen(0, "127.0.0.1");
      const serving = serve(server, options);
      await once(server, "listening");
      return { server, serving };
    },
    answersEarly: false,
    withoutHttp2: "https://github.com/expressjs/express/issues/5462",
  };
}

export const replacing =
  (replace: (ctx: Context) => Context): express.RequestHandler =>
  (req, _res, next) => {
    req.ctx = replace(req.ctx);
    next();
  };

export const replyOf = (res: express.Response): HandlerReply => ({
  header: (name, value) => res.set(name, value),
  res,
});

/** Sends the answer of a handler: a text, or a stream of its parts. */
export function sendAnswer(res: express.Response, answer: Answer): void {
  if (typeof answer === "string") res.send(answer);
  else
    Readable.from(answer)
      .on("error", () => res.destroy())
      .pipe(res);
}

type Build = (...app: Parameters<FrameworkUnderTest["app"]>) => express.Express;

export const express5 = underTest("Express 5", (work, { replace, route: own, ...options }) => {
  const app = express();
  app.use(contexts(options));
  if (replace) app.use(replacing(replace));
  if (own) app.all("/", contexts(own));
  app.all("/", async (req, res) => {
    const answer = await work(req.ctx, () => req.resume().toArray(), replyOf(res));
    sendAnswer(res, answer);
  });
  app.use(contextErrors());
  return app;
});

export const expressOld = underTest("Express 4", (work, { replace, route: own, ...options }) => {
  const app = old();
  app.use(contexts(options));
  if (replace) app.use(replacing(replace));
  if (own) app.all("/", contexts(own));
  app.all(
    "/",
    route(async (ctx, req, res) => {
      const answer = await work(ctx, () => req.resume().toArray(), replyOf(res));
      sendAnswer(res, answer);
    }),
  );
  app.use(contextErrors());
  return app;
});
