import express, { type Express, type RequestHandler } from "express";
import { contexts } from "eightysix/express";
import {
  ABORTED,
  abortedOnClose,
  abortedUnlessFinished,
  abortedWithTimeout,
  UNLESS_FINISHED,
  WITH_TIMEOUT,
} from "../by-hand.ts";
import { BODY, keep, READ, TIMEOUT, UNREAD, type Listener, type Ways } from "../way.ts";

const plain = express();

/** Returns an application with one route, and optionally a middleware before it. */
function app(middleware: RequestHandler | undefined, route: RequestHandler): Listener {
  const one: Express = middleware === undefined ? plain : express();
  // Shared, as in a program with one application: with several, Express creates requests of several
  // shapes.
  one.request = plain.request;
  one.response = plain.response;
  if (middleware !== undefined) one.use(middleware);
  one.get("/", route);
  return one;
}

const answer: RequestHandler = (_req, res) => {
  res.type("text/plain").send(BODY);
};

const unread: RequestHandler = (req, res) => {
  keep(req.ctx);
  res.type("text/plain").send(BODY);
};

const read: RequestHandler = (req, res) => {
  keep(req.ctx.signal);
  res.type("text/plain").send(BODY);
};

export function open(): Ways {
  return {
    bare: app(undefined, answer),
    ways: [
      { name: "**contexts()**", ours: true, atLeast: UNREAD, serve: app(contexts(), unread) },
      {
        name: "**contexts(), timeout**",
        ours: true,
        atLeast: UNREAD,
        serve: app(contexts({ timeout: TIMEOUT }), unread),
      },
      {
        name: "**contexts(), .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: ABORTED,
        serve: app(contexts(), read),
      },
      {
        name: "**contexts(), timeout, .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: WITH_TIMEOUT,
        serve: app(contexts({ timeout: TIMEOUT }), read),
      },
      {
        name: ABORTED,
        serve: app((_req, res, next) => {
          keep(abortedOnClose(res));
          next();
        }, answer),
      },
      {
        name: WITH_TIMEOUT,
        serve: app((_req, res, next) => {
          keep(abortedWithTimeout(res));
          next();
        }, answer),
      },
      {
        name: UNLESS_FINISHED,
        serve: app((_req, res, next) => {
          keep(abortedUnlessFinished(res));
          next();
        }, answer),
      },
      {
        name: "only a middleware that calls next()",
        serve: app((_req, _res, next) => {
          next();
        }, answer),
      },
    ],
  };
}
