import { once } from "node:events";
import type { Server, ServerResponse } from "node:http";
import { getRequestListener, serve as serveNode } from "@hono/node-server";
import { Hono } from "hono";
import { stream } from "hono/streaming";
import { contexts } from "../../../src/hono/index.ts";
import { serve } from "../../../src/http/index.ts";
import type { FrameworkUnderTest, Work } from "../framework-suite.ts";

function appOf(
  work: Work,
  { replace, route, ...options }: Parameters<FrameworkUnderTest["app"]>[1],
) {
  const app = new Hono();
  app.use(contexts(options));
  if (replace) {
    app.use((c, next) => {
      c.set("ctx", replace(c.var.ctx));
      return next();
    });
  }
  if (route) app.use("/", contexts(route));
  app.onError((_error, c) => c.text("Internal Server Error", 500));
  app.all("/", async (c) => {
    const { outgoing } = (c.env ?? {}) as { outgoing?: ServerResponse };
    const answer = await work(c.var.ctx, () => c.req.text(), {
      header: (name, value) => c.header(name, value),
      ...(outgoing && { res: outgoing }),
    });
    if (typeof answer === "string") return c.text(answer);
    const write = async (out: { write(part: string): Promise<unknown> }) => {
      for await (const part of answer) await out.write(part);
    };
    return stream(c, write, () => Promise.resolve());
  });
  return app;
}

/** `stream()` closes it normally, even after an error. */
const failsQuietly = "always";

const anywhere = { port: 0, hostname: "127.0.0.1" };

export const honoOnNode: FrameworkUnderTest = {
  name: "Hono 4 on @hono/node-server",
  writesHead: true,
  app(work, options) {
    return getRequestListener(appOf(work, options).fetch);
  },
  async served(work, options) {
    const server = serveNode({ ...anywhere, fetch: appOf(work, {}).fetch }) as Server;
    const serving = serve(server, options);
    await once(server, "listening");
    return { server, serving };
  },
  failsQuietly,
};

/** As it runs where `env` does not tell of a connection. */
export const honoAsFetch: FrameworkUnderTest = {
  name: "Hono 4 as fetch",
  app(work, options) {
    const app = appOf(work, options);
    return getRequestListener((request) => app.fetch(request));
  },
  async served(work, options) {
    const fetch = (request: Request) => app.fetch(request);
    const server = serveNode({ ...anywhere, fetch }) as Server;
    const serving = serve(server, options);
    const app = appOf(work, { parent: serving.requests });
    await once(server, "listening");
    return { server, serving };
  },
  knowsConnection: false,
  hasResponse: false,
  failsQuietly,
};
