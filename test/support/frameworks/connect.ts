/** Connect in a few lines, with what its final handler does to errors. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { middleware, requestContext, serve, statusOf } from "../../../src/http/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

function appOf(
  ...[work, { replace: _, ...options }]: Parameters<FrameworkUnderTest["app"]>
): RequestListener {
  const use = middleware(options);
  return (req, res) => {
    const answer = async () => {
      const reply = { header: (name: string, value: string) => res.setHeader(name, value), res };
      res.end(await work(requestContext(req), () => req.resume().toArray(), reply));
    };
    use(req, res, () => {
      answer().catch((error: unknown) => {
        if (statusOf(error) !== 500) return; // the middleware responds
        // https://github.com/pillarjs/finalhandler closes the connection in this case.
        if (res.headersSent) req.socket.destroy();
        else res.writeHead(500).end(String(error));
      });
    });
  };
}

export const connect: FrameworkUnderTest = {
  name: "middleware",
  app: appOf,
  async served(work, options) {
    const server = createServer(appOf(work, {}));
    const serving = serve(server, options);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return { server, serving };
  },
};
