import { once } from "node:events";
import { Readable } from "node:stream";
import Koa from "koa";
import { serve } from "../../../src/http/index.ts";
import { contexts } from "../../../src/koa/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

function appOf(...[work, { replace, route, ...options }]: Parameters<FrameworkUnderTest["app"]>) {
  const app = new Koa();
  app.silent = true;
  app.use(contexts(options));
  if (replace) {
    app.use((koa, next) => {
      koa.context = replace(koa.context);
      return next();
    });
  }
  if (route) app.use(contexts(route));
  app.use(async (koa) => {
    const answer = await work(koa.context, () => koa.req.resume().toArray(), {
      header: (name, value) => koa.set(name, value),
      res: koa.res,
    });
    koa.body = typeof answer === "string" ? answer : Readable.from(answer);
  });
  return app;
}

export const koa3: FrameworkUnderTest = {
  name: "Koa 3",
  app: (work, options) => appOf(work, options).callback(),
  async served(work, options) {
    const server = appOf(work, {}).listen(0, "127.0.0.1");
    const serving = serve(server, options);
    await once(server, "listening");
    return { server, serving };
  },
};
