import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { stream } from "hono/streaming";
import { contexts } from "../../../src/hono/index.ts";
import type { FrameworkUnderTest, Work } from "../framework-suite.ts";

function appOf(work: Work, options: Parameters<typeof contexts>[0]) {
  const app = new Hono();
  app.use(contexts(options));
  app.onError((_error, c) => c.text("Internal Server Error", 500));
  app.all("/", async (c) => {
    const answer = await work(c.var.ctx, () => c.req.text());
    if (typeof answer === "string") return c.text(answer);
    const write = async (out: { write(part: string): Promise<unknown> }) => {
      for await (const part of answer) await out.write(part);
    };
    return stream(c, write, () => Promise.resolve());
  });
  return app;
}

export const honoOnNode: FrameworkUnderTest = {
  name: "Hono 4 on @hono/node-server",
  app(work, options) {
    return getRequestListener(appOf(work, options).fetch);
  },
};

export const honoAsFetch: FrameworkUnderTest = {
  name: "Hono 4 as fetch",
  app(work, options) {
    const app = appOf(work, options);
    return getRequestListener((request) => app.fetch(request));
  },
};
