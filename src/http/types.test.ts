import { createServer, IncomingMessage, type ServerResponse } from "node:http";
import {
  createServer as createHttp2Server,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { Socket } from "node:net";
import { createServer as createTlsServer } from "node:https";
import { expectTypeOf, test } from "vitest";
import type { Context } from "../index.ts";
import { handler, requestContext, serve } from "./index.ts";

test("Node's types fit `handler`, `requestContext` and `serve`, and are inferred in the handler", () => {
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
        deadline: { trust: (req) => req.socket.remoteAddress === "127.0.0.1" },
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
  createHttp2Server(
    handler((_ctx, req: Http2ServerRequest, res: Http2ServerResponse) => {
      expectTypeOf(requestContext(req, { deadline: { trust: (req) => req.stream.closed } }));
      res.end(req.url);
    }),
  );
  expectTypeOf(serve).toBeCallableWith(createServer());
  expectTypeOf(serve).toBeCallableWith(createTlsServer());
  expectTypeOf(serve).toBeCallableWith(createHttp2Server());
  expectTypeOf(serve).toBeCallableWith(createSecureServer());
  expectTypeOf(requestContext).toBeCallableWith(new IncomingMessage(new Socket()));
});
