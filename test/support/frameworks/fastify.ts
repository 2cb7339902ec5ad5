import { Readable } from "node:stream";
import fastify from "fastify";
import { contexts } from "../../../src/fastify/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

export const fastify5: FrameworkUnderTest = {
  name: "Fastify 5",
  async app(work, options) {
    const app = fastify();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null)); // bodies are the handler's
    await app.register(contexts, options);
    app.route({
      method: ["GET", "POST"],
      url: "/",
      handler: async (request, reply) => {
        const answer = await work(request.ctx, () => request.raw.resume().toArray());
        return reply.send(typeof answer === "string" ? answer : Readable.from(answer));
      },
    });
    await app.ready();
    return (req, res) => app.routing(req, res);
  },
};
