import type { IncomingMessage, ServerResponse } from "node:http";
import { key, withCancel, withTimeout, withValue } from "eightysix";
import { handler, requestContext } from "eightysix/http";
import { timeoutChild } from "../cases/hand-made.ts";

/** One way to write the same handler. */
export interface Variant {
  name: string;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Whether it uses eightysix/http. */
  ours?: true;
  /** Requests served, as a share of what the bare handler serves. */
  atLeast?: number;
  /** … and no fewer than this other variant. */
  notBelow?: string;
}

const MS = 5_000;
const BODY = "hello, world\n";
const RequestId = key<number>("requestId");
let serial = 0;

function answer(res: ServerResponse): void {
  res.writeHead(200, { "content-type": "text/plain", "content-length": BODY.length });
  res.end(BODY);
}

/** Kept from the optimiser: a handler would pass it on. */
export let last: unknown;

const CONTROLLER = "AbortController, aborted on close";
const CLOSED = new Error("closed");

export const variants: Variant[] = [
  { name: "bare again (control)", handle: (_req, res) => answer(res) },
  {
    name: "**requestContext with a timeout**",
    ours: true,
    atLeast: 0.97,
    handle(req, res) {
      last = requestContext(req, { timeout: MS });
      answer(res);
    },
  },
  {
    name: "**… a value, two derived contexts**",
    ours: true,
    handle(req, res) {
      const ctx = withValue(requestContext(req, { timeout: MS }), RequestId, serial++);
      last = withTimeout(withCancel(ctx), 1_000);
      answer(res);
    },
  },
  {
    name: "**requestContext with a timeout, .signal read**",
    ours: true,
    atLeast: 0.95,
    notBelow: CONTROLLER,
    handle(req, res) {
      last = requestContext(req, { timeout: MS }).signal;
      answer(res);
    },
  },
  {
    name: "**handler((ctx, req, res) => …) with a timeout**",
    ours: true,
    handle: handler(
      (ctx, _req, res) => {
        last = ctx;
        answer(res);
      },
      { timeout: MS },
    ),
  },
  {
    name: CONTROLLER,
    handle(_req, res) {
      const own = new AbortController();
      res.once("close", () => own.abort(CLOSED));
      last = own.signal;
      answer(res);
    },
  },
  {
    name: "AbortController, listener and setTimeout, by hand",
    handle(_req, res) {
      const own = new AbortController();
      const child = timeoutChild(own.signal, MS);
      res.once("close", () => child.cancel(CLOSED));
      last = child.signal;
      answer(res);
    },
  },
  {
    name: "AbortSignal.any([own, AbortSignal.timeout()])",
    handle(_req, res) {
      const own = new AbortController();
      res.once("close", () => own.abort(CLOSED));
      last = AbortSignal.any([own.signal, AbortSignal.timeout(MS)]);
      answer(res);
    },
  },
];

export const bare: Variant = { name: "bare", handle: (_req, res) => answer(res) };
