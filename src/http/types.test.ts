import { createServer, IncomingMessage, type ServerResponse } from "node:http";
import { Socket } from "node:net";
import { createServer as createTlsServer } from "node:https";
import { expectTypeOf, test } from "vitest";
import type { Context } from "../index.ts";
import { handler, requestContext } from "./index.ts";

test("node's own types fit, and are inferred inside the handler", () => {
  createServer(
    handler((ctx, req, res) => {
      expectTypeOf(ctx).toEqualTypeOf<Context>();
      expectTypeOf(req).toEqualTypeOf<IncomingMessage>();
      expectTypeOf(res).toEqualTypeOf<ServerResponse>();
      res.writeHead(200, { "x-path": req.url }).end();
    }),
  );
  createServer(
    handler(
      async (_ctx, req, res) => {
        res.setHeader("x-path", req.headers.host ?? "");
      },
      {
        timeout: 1_000,
        onError: (_ctx, error, req, res) => {
          expectTypeOf(error).toBeUnknown();
          res.writeHead(res.statusCode).end(req.method);
        },
      },
    ),
  );
  createTlsServer(
    {},
    handler((_ctx, req, res) => res.end(req.url)),
  );
  createServer().on(
    "request",
    handler((_ctx, req, res) => res.end(req.url)),
  );
  expectTypeOf(requestContext).toBeCallableWith(new IncomingMessage(new Socket()));
});
