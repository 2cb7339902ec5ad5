import type { ServerResponse } from "node:http";
import { key, withCancel, withTimeout, withValue } from "eightysix";
import { handler, requestContext } from "eightysix/http";
import {
  ABORTED,
  abortedOnClose,
  abortedUnlessFinished,
  abortedWithTimeout,
  UNLESS_FINISHED,
  WITH_TIMEOUT,
} from "../by-hand.ts";
import { BODY, keep, READ, TIMEOUT, UNREAD, type Ways } from "../way.ts";

const CLOSED = new Error("closed");
const RequestId = key<number>("requestId");
let serial = 0;

function answer(res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/plain", "content-length": BODY.length });
  res.end(BODY);
}

const nothing = (): void => undefined;

export function open(): Ways {
  return {
    bare: (_req, res) => answer(res),
    ways: [
      {
        name: "**requestContext**",
        ours: true,
        atLeast: UNREAD,
        serve(req, res) {
          keep(requestContext(req));
          answer(res);
        },
      },
      {
        name: "**requestContext, timeout**",
        ours: true,
        atLeast: UNREAD,
        serve(req, res) {
          keep(requestContext(req, { timeout: TIMEOUT }));
          answer(res);
        },
      },
      {
        name: "**… a value, two derived contexts**",
        ours: true,
        serve(req, res) {
          const ctx = withValue(requestContext(req, { timeout: TIMEOUT }), RequestId, serial++);
          keep(withTimeout(withCancel(ctx), 1_000));
          answer(res);
        },
      },
      {
        name: "**requestContext, .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: ABORTED,
        serve(req, res) {
          keep(requestContext(req).signal);
          answer(res);
        },
      },
      {
        name: "**requestContext, timeout, .signal read**",
        ours: true,
        atLeast: READ,
        notBelow: WITH_TIMEOUT,
        serve(req, res) {
          keep(requestContext(req, { timeout: TIMEOUT }).signal);
          answer(res);
        },
      },
      {
        name: "**handler**",
        ours: true,
        atLeast: UNREAD,
        serve: handler((ctx, _req, res) => {
          keep(ctx);
          answer(res);
        }),
      },
      {
        name: "**handler, timeout**",
        ours: true,
        atLeast: UNREAD,
        serve: handler(
          (ctx, _req, res) => {
            keep(ctx);
            answer(res);
          },
          { timeout: TIMEOUT },
        ),
      },
      {
        name: "**handler, timeout, answers a turn later**",
        ours: true,
        atLeast: UNREAD,
        beside: (_req, res) => setImmediate(answer, res),
        serve: handler(
          (ctx, _req, res) => {
            keep(ctx);
            setImmediate(answer, res);
          },
          { timeout: TIMEOUT },
        ),
      },
      {
        name: ABORTED,
        serve(_req, res) {
          keep(abortedOnClose(res));
          answer(res);
        },
      },
      {
        name: UNLESS_FINISHED,
        serve(_req, res) {
          keep(abortedUnlessFinished(res));
          answer(res);
        },
      },
      {
        name: WITH_TIMEOUT,
        serve(_req, res) {
          keep(abortedWithTimeout(res));
          answer(res);
        },
      },
      {
        name: "AbortSignal.any([own, AbortSignal.timeout()])",
        serve(_req, res) {
          const own = new AbortController();
          res.once("close", () => own.abort(CLOSED));
          keep(AbortSignal.any([own.signal, AbortSignal.timeout(TIMEOUT)]));
          answer(res);
        },
      },
      // The floor: what no such mechanism can do without.
      {
        name: 'only res.on("close", …)',
        serve(_req, res) {
          res.on("close", nothing);
          answer(res);
        },
      },
      {
        name: "only new AbortController().signal",
        serve(_req, res) {
          keep(new AbortController().signal);
          answer(res);
        },
      },
      {
        name: "only new AbortController(), abort(reason); without listeners",
        serve(_req, res) {
          const own = new AbortController();
          keep(own.signal);
          own.abort(CLOSED);
          answer(res);
        },
      },
    ],
  };
}
