import { getRequestListener } from "@hono/node-server";
import { withContext } from "../../../src/web/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

export const fetchHandlers: FrameworkUnderTest = {
  name: "fetch handlers",
  app(work, options) {
    const fetch = withContext(async (request, ctx) => {
      const answer = await work(ctx, () => request.text());
      if (typeof answer === "string") return new Response(answer);
      return new Response(ReadableStream.from(answer).pipeThrough(new TextEncoderStream()));
    }, options);
    return getRequestListener(fetch);
  },
};
