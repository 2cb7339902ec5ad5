import { once } from "node:events";
import type { Server } from "node:http";
import { getRequestListener, serve as serveNode } from "@hono/node-server";
import { serve } from "../../../src/http/index.ts";
import { handler, type HandlerOptions } from "../../../src/web/index.ts";
import type { FrameworkUnderTest, Work } from "../framework-suite.ts";

function fetchOf(work: Work, options: HandlerOptions<Request>) {
  return handler(async (ctx, request: Request) => {
    const answer = await work(ctx, () => request.text(), {});
    if (typeof answer === "string") return new Response(answer);
    return new Response(ReadableStream.from(answer).pipeThrough(new TextEncoderStream()));
  }, options);
}

export const fetchHandlers: FrameworkUnderTest = {
  name: "fetch handlers",
  app: (work, options) => getRequestListener(fetchOf(work, options)),
  async served(work, options) {
    const fetch = (request: Request) => listener(request);
    const server = serveNode({ port: 0, hostname: "127.0.0.1", fetch }) as Server;
    const serving = serve(server, options);
    const listener = fetchOf(work, { parent: serving.requests });
    await once(server, "listening");
    return { server, serving };
  },
  knowsConnection: false,
  hasResponse: false,
  hasCurrent: false,
  hasRouteOptions: false,
};
