import { Readable } from "node:stream";
import fastify, { type FastifyInstance } from "fastify";
import { contexts } from "../../../src/fastify/index.ts";
import { serve } from "../../../src/http/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

async function appOf(
  ...[work, { replace, route, ...options }, http2]: Parameters<FrameworkUnderTest["app"]>
): Promise<FastifyInstance> {
  const app = http2 ? (fastify({ http2 }) as unknown as FastifyInstance) : fastify();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null)); // bodies are the handler's
  await app.register(contexts, options);
  if (replace) {
    app.addHook("onRequest", (request, _reply, done) => {
      request.ctx = replace(request.ctx);
      done();
    });
  }
  app.route({
    method: ["GET", "POST"],
    url: "/",
    ...(route && { config: { contexts: route } }),
    handler: async (request, reply) => {
      const answer = await work(request.ctx, () => request.raw.resume().toArray(), {
        header: (name, value) => reply.header(name, value),
        res: reply.raw,
      });
      return reply.send(typeof answer === "string" ? answer : Readable.from(answer));
    },
  });
  return app;
}

export const fastify5: FrameworkUnderTest = {
  name: "Fastify 5",
  writesHead: true,
  async app(...args) {
    const app = await appOf(...args);
    await app.ready();
    return (req, res) => app.routing(req, res);
  },
  async served(work, options) {
    const app = await appOf(work, {});
    const serving = serve(app.server, options);
    await app.listen({ port: 0, host: "127.0.0.1" });
    return { server: app.server, serving };
  },
  failsQuietly: "over HTTP/2", // https://github.com/nodejs/node/issues/16798
};
