import { once } from "node:events";
import { createServer } from "node:http";
import { handler, serve } from "../../../src/http/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

const app = (...[work, options]: Parameters<FrameworkUnderTest["app"]>) =>
  handler(
    async (ctx, req, res) => {
      const answer = await work(ctx, () => req.resume().toArray(), {
        header: (name, value) => res.setHeader(name, value),
        res,
      });
      if (typeof answer === "string") {
        res.end(answer);
        return;
      }
      for await (const part of answer) {
        if (!res.write(part)) await once(res, "drain", { signal: ctx.signal });
      }
      res.end();
    },
    { ...options, onError: () => undefined },
  );

export const bareHandler: FrameworkUnderTest = {
  name: "handler",
  hasCurrent: false,
  hasRouteOptions: false,
  app,
  async served(work, options) {
    const server = createServer(app(work, {}));
    const serving = serve(server, options);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { server, serving };
  },
};
