import { once } from "node:events";
import { handler } from "../../../src/http/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

export const bareHandler: FrameworkUnderTest = {
  name: "handler",
  app(work, options) {
    return handler(
      async (ctx, req, res) => {
        const answer = await work(ctx, () => req.resume().toArray());
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
  },
};
