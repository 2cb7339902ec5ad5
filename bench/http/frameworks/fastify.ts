import fastify, { type FastifyInstance, type RouteHandler } from "fastify";
import { contexts } from "eightysix/fastify";
import {
  ABORTED,
  abortedOnClose,
  abortedUnlessFinished,
  abortedWithTimeout,
  UNLESS_FINISHED,
  WITH_TIMEOUT,
} from "../by-hand.ts";
import { BODY, keep, READ, TIMEOUT, UNREAD, type Listener, type Ways } from "../way.ts";

/** Returns a Fastify application with one route and the given plugins. It does not listen. */
async function app(
  prepare: (one: FastifyInstance) => unknown,
  route: RouteHandler,
): Promise<Listener> {
  const one = fastify();
  await prepare(one);
  one.get("/", route);
  await one.ready();
  return (req, res) => {
    one.routing(req, res);
  };
}

const answer: RouteHandler = (_request, reply) => {
  reply.type("text/plain").send(BODY);
};

const unread: RouteHandler = (request, reply) => {
  keep(request.ctx);
  reply.type("text/plain").send(BODY);
};

const read: RouteHandler = (request, reply) => {
  keep(request.ctx.signal);
  reply.type("text/plain").send(BODY);
};

export async function open(): Promise<Ways> {
  return {
    bare: await app(() => undefined, answer),
    ways: [
      {
        name: "**contexts**",
        ours: true,
        atLeast: UNREAD,
        serve: await app((one) => one.register(contexts, {}), unread),
      },
      {
        name: "**contexts, timeout**",
        ours: true,
        atLeast: UNREAD,
        serve: await app((one) => one.register(contexts, { timeout: TIMEOUT }), unread),
      },
      {
        name: "**contexts, .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: ABORTED,
        serve: await app((one) => one.register(contexts, {}), read),
      },
      {
        name: "**contexts, timeout, .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: WITH_TIMEOUT,
        serve: await app((one) => one.register(contexts, { timeout: TIMEOUT }), read),
      },
      {
        name: ABORTED,
        serve: await app((one) => {
          one.addHook("onRequest", (_request, reply, next) => {
            keep(abortedOnClose(reply.raw));
            next();
          });
        }, answer),
      },
      {
        name: WITH_TIMEOUT,
        serve: await app((one) => {
          one.addHook("onRequest", (_request, reply, next) => {
            keep(abortedWithTimeout(reply.raw));
            next();
          });
        }, answer),
      },
      {
        name: UNLESS_FINISHED,
        serve: await app((one) => {
          one.addHook("onRequest", (_request, reply, next) => {
            keep(abortedUnlessFinished(reply.raw));
            next();
          });
        }, answer),
      },
      {
        name: "only a hook that calls next()",
        serve: await app((one) => {
          one.addHook("onRequest", (_request, _reply, next) => {
            next();
          });
        }, answer),
      },
    ],
  };
}
