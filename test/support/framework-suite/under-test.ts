/** A framework under test, and its server on one of the transports. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { expect } from "vitest";
import {
  background,
  cause,
  sleep,
  startWork,
  withCancel,
  working,
  type Context,
} from "../../../src/index.ts";
import { LocalTimeout, serve, type ServeOptions, type Serving } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";

/** What a handler does. It responds with a text, or with one in parts. It may read the body first. */
export type Work = (
  ctx: Context,
  body: () => Promise<unknown>,
  reply: HandlerReply,
) => Promise<Answer> | Answer;
export type Answer = string | AsyncIterable<string>;

/** What a handler can reach of its response. Fetch handlers can reach nothing. */
export interface HandlerReply {
  /** Sets a header, in the way of the framework. */
  header?: (name: string, value: string) => unknown;
  /** Node's own response. */
  res?: ServerResponse;
}

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** The options of the framework's `contexts()`. */
export interface Limits {
  timeout?: number;
  parent?: Context;
  deadline?: boolean | { strict?: boolean; trust?: () => boolean };
  current?: boolean | "all";
  onDisconnect?: "cancel" | "continue";
}

export interface Setting extends Limits {
  /** Middleware after `contexts()` replaces the request's context by what this returns. */
  replace?: (ctx: Context) => Context;
  /** Middleware of Connect that sees the request before the application. */
  outside?: (req: never, res: never, next: () => void) => void;
  /** The options of the route itself, behind that middleware. */
  route?: Limits;
}

export interface FrameworkUnderTest {
  readonly name: string;
  /**
   * Returns an application that does this work for GET and POST, with the error handling that its
   * users install. `http2` says that the requests come from an HTTP/2 server, which Fastify must know.
   */
  app(work: Work, setting: Setting, http2?: boolean): Listener | Promise<Listener>;
  /** Returns a listening server as users of the framework create it, on any port, with `serve`. */
  served(work: Work, options: ServeOptions): Promise<{ server: Server; serving: Serving }>;
  /** Why the framework does not support HTTP/2. */
  readonly withoutHttp2?: string;
  /** Whether it finds the `serve` of a request through its connection. Default: yes. */
  readonly knowsConnection?: boolean;
  /** Whether it can respond to an error before it has received the whole body. Default: yes. */
  readonly answersEarly?: boolean;
  /** Whether its handlers can reach Node's response. Default: yes. */
  readonly hasResponse?: boolean;
  /** Whether it writes the head and the length of its answers itself, before `end`. Default: no. */
  readonly writesHead?: boolean;
  /** Whether it has the option `current`. Default: yes. */
  readonly hasCurrent?: boolean;
  /** Whether a route can have options of its own. Default: yes. */
  readonly hasRouteOptions?: boolean;
  /** When a failed stream looks complete to the client. Default: never. */
  readonly failsQuietly?: "over HTTP/2" | "always";
}

export interface Started extends AsyncDisposable {
  /** The contexts of all requests whose handler has started. */
  readonly seen: Context[];
  /** The status of each closed response, as a log would show it. */
  readonly logged: number[];
  /** See `TransportServer`. */
  readonly connections: ReadonlySet<NodeJS.EventEmitter>;
  readonly occupied: ReadonlySet<object>;
  /** The context of the first request. */
  readonly ctx: Context;
  /** What `serve` returned, if the server was started with it. */
  readonly serving: Serving;
  visitor(): Promise<Visitor>;
}

/** Records the context and the work of each request. */
export function watched(work: Work, seen: Context[]): Work {
  return (ctx, body, reply) => {
    seen.push(ctx);
    const job = startWork(ctx, "test.work");
    const done = (async () => work(ctx, body, reply))();
    void done.then(
      () => job.end(),
      () => job.end(),
    );
    return done;
  };
}

/** The codes of warnings that the running test expects. Any other warning fails it. */
export const expectedWarnings = new Set<unknown>();

/** Waits until no context is live and no work is running. */
export async function quiet(seen: readonly Context[]): Promise<void> {
  await until(() => seen.every((ctx) => ctx.err() !== undefined), "no context is live");
  await until(() => seen.flatMap(working).length === 0, "no work is running");
}

function need<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Error(otherwise);
  return value;
}

/**
 * Expects this cause of every context whose handler has started. On a busy machine, a short limit may
 * pass before any handler starts. Tests of what a handler sees of its limit use `askLimited`.
 */
export function expectAll(seen: readonly Context[], reason: new () => Error): void {
  for (const ctx of seen) expect(cause(ctx)).toBeInstanceOf(reason);
}

/** Starts a server of the framework. When it is disposed, no work may be left. */
export async function start(
  framework: FrameworkUnderTest,
  transport: Transport,
  work: Work,
  { outside, ...limits }: Setting = {},
  shutdown?: ServeOptions,
): Promise<Started> {
  const seen: Context[] = [];
  const logged: number[] = [];
  const host = transport.server();
  const serving = shutdown && serve(host.server, { signals: [], ...shutdown });
  const knows = framework.knowsConnection ?? true;
  const parent = serving && !knows ? { parent: serving.requests } : {};
  const listener = await framework.app(
    watched(work, seen),
    { ...parent, ...limits },
    transport.http2,
  );
  await host.listen((req, res) => {
    res.on("close", () => setImmediate(() => logged.push(res.statusCode)));
    if (outside) outside(req as never, res as never, () => void listener(req, res));
    else listener(req, res);
  });
  return {
    ...{ seen, logged },
    connections: host.connections,
    occupied: host.occupied,
    get ctx(): Context {
      return need(seen[0], "no handler has started");
    },
    get serving(): Serving {
      return need(serving, "started without a shutdown");
    },
    visitor: () => host.visitor(),
    async [Symbol.asyncDispose]() {
      await quiet(seen);
      await host[Symbol.asyncDispose]();
    },
  };
}

export const forever: Work = (ctx) => sleep(ctx, Infinity) as Promise<never>;
export const afterTheBody: Work = async (ctx, body, reply) => (
  await body(),
  forever(ctx, body, reply)
);
export async function* parts(ctx: Context, n = Infinity): AsyncGenerator<string> {
  for (let i = 0; i < n; i++) {
    yield `part ${i}\n`;
    await sleep(ctx, 2);
  }
}

/** Opens when the test calls `open`, independently of any context. */
export interface Gate {
  readonly opened: Promise<void>;
  open: () => void;
}
export function gate(): Gate {
  let open: (() => void) | undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open?.() };
}

export const get = (visitor: Visitor): void => visitor.get();
export const post = (visitor: Visitor): void => visitor.post("body");

/** Starts a server and a visitor that has sent a request. */
export type Ask = (
  work: Work,
  limits?: Setting,
  how?: (visitor: Visitor) => void,
) => Promise<Started & { readonly asked: Visitor }>;

export function asker(framework: FrameworkUnderTest, transport: Transport): Ask {
  return async (work, limits = {}, how = get) => {
    const server = await start(framework, transport, work, limits);
    const asked = await server.visitor();
    how(asked);
    return Object.defineProperty(server, "asked", { value: asked }) as never;
  };
}

/** Asks for a request whose limit passes after the handler has started, even on a busy machine. */
export function limitedAsker(ask: Ask) {
  return async (work: Work, end: Error = new LocalTimeout(), how?: (visitor: Visitor) => void) => {
    const parent = withCancel(background());
    return await ask(
      (ctx, body, reply) => {
        setImmediate(() => parent.cancel(end));
        return work(ctx, body, reply);
      },
      { parent },
      how,
    );
  };
}
