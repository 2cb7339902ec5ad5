import { Readable } from "node:stream";
import express from "express";
// @ts-expect-error -- its types are those of 5
import express4 from "express4";
import { contextErrors, contexts, route } from "../../../src/express/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

export const express5: FrameworkUnderTest = {
  name: "Express 5",
  app(work, options) {
    const app = express();
    app.use(contexts(options));
    app.all("/", async (req, res) => {
      const answer = await work(req.ctx, () => req.resume().toArray());
      if (typeof answer === "string") res.send(answer);
      else
        Readable.from(answer)
          .on("error", () => res.destroy())
          .pipe(res);
    });
    app.use(contextErrors());
    return app;
  },
  answersEarly: false,
};

/** 4, with the types of 5. */
export const old = express4 as typeof express;

export const expressOld: FrameworkUnderTest = {
  name: "Express 4",
  app(work, options) {
    const app = old();
    app.use(contexts(options));
    app.all(
      "/",
      route(async (ctx, req, res) => {
        const answer = await work(ctx, () => req.resume().toArray());
        if (typeof answer === "string") res.send(answer);
        else
          Readable.from(answer)
            .on("error", () => res.destroy())
            .pipe(res);
      }),
    );
    app.use(contextErrors());
    return app;
  },
  answersEarly: false,
};
