import { Readable } from "node:stream";
import Koa from "koa";
import { contexts } from "../../../src/koa/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

export const koa3: FrameworkUnderTest = {
  name: "Koa 3",
  app(work, options) {
    const app = new Koa();
    app.silent = true;
    app.use(contexts(options));
    app.use(async (koa) => {
      const answer = await work(koa.context, () => koa.req.resume().toArray());
      koa.body = typeof answer === "string" ? answer : Readable.from(answer);
    });
    return app.callback();
  },
};
