/** A framework under test, and a server of it on one of the transports. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { expect } from "vitest";
import { cause, sleep, startWork, working, type Context } from "../../../src/index.ts";
import { serve, type ServeOptions, type Serving } from "../../../src/http/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport, Visitor } from "../transports/index.ts";

/** What a handler does: its answer is a text, or one in parts. It may read the body first. */
export type Work = (ctx: Context, body: () => Promise<unknown>) => Promise<Answer> | Answer;
type Answer = string | AsyncIterable<string>;

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** What `contexts()` of the framework is given. */
export interface Limits {
  timeout?: number;
  parent?: Context;
  deadline?: boolean | { strict?: boolean; trust?: () => boolean };
  current?: boolean | "all";
}

export interface Setting extends Limits {
  /** Its requests come from an HTTP/2 server. Fastify wants to know. */
  http2?: boolean;
  /** Middleware after `contexts()` replaces the request's context by what this returns. */
  replace?: (ctx: Context) => Context;
}

export interface FrameworkUnderTest {
  readonly name: string;
  /** An application that does this work for GET and POST, with all that its users need for errors. */
  app(work: Work, setting: Setting): Listener | Promise<Listener>;
  /** The server that listens as its users make it, on any port of 127.0.0.1, behind `serve`. */
  served(work: Work, options: ServeOptions): Promise<{ server: Server; serving: Serving }>;
  /** Why it does not speak HTTP/2. */
  readonly withoutHttp2?: string;
  /** Whether it knows the connection of a request, and so its `serve`. Default: yes. */
  readonly knowsConnection?: boolean;
  /** Whether an error can be answered before the whole body has come. Default: yes. */
  readonly answersEarly?: boolean;
  /** Whether it has the option `current`. Default: yes. */
  readonly hasCurrent?: boolean;
  /** Whether a stream that fails looks to its client as if it were complete. Default: it does not. */
  readonly failsQuietly?: "over HTTP/2" | "always";
}

export interface Started extends AsyncDisposable {
  /** The contexts of all requests whose handler has begun. */
  readonly seen: Context[];
  /** The status of each response that is closed, as a log would have it. */
  readonly logged: number[];
  /** See `TransportServer`. */
  readonly connections: ReadonlySet<NodeJS.EventEmitter>;
  readonly occupied: ReadonlySet<object>;
  /** That of the first request. */
  readonly ctx: Context;
  /** Of a server that shuts down. */
  readonly serving: Serving;
  visitor(): Promise<Visitor>;
}

/** Tells what becomes of the work of each request, whichever server it comes from. */
export function watched(work: Work, seen: Context[]): Work {
  return (ctx, body) => {
    seen.push(ctx);
    const job = startWork(ctx, "test.work");
    const done = (async () => work(ctx, body))();
    void done.then(
      () => job.end(),
      () => job.end(),
    );
    return done;
  };
}

/** Nobody's context lives, and nobody works. */
export async function quiet(seen: readonly Context[]): Promise<void> {
  await until(() => seen.every((ctx) => ctx.err() !== undefined), "no context lives");
  await until(() => seen.flatMap(working).length === 0, "no work is left");
}

function there<T>(what: T | undefined, otherwise: string): T {
  if (what === undefined) throw new Error(otherwise);
  return what;
}

/**
 * Why the contexts are done whose handler has begun. On a busy machine a short time is up before:
 * what a handler sees of its limit is for rows that wait until one has begun.
 */
export function expectAll(seen: readonly Context[], reason: new () => Error): void {
  for (const ctx of seen) expect(cause(ctx)).toBeInstanceOf(reason);
}

/** A server of such an application. Once it is disposed of, nothing may be left. */
export async function start(
  framework: FrameworkUnderTest,
  transport: Transport,
  work: Work,
  limits: Setting = {},
  shutdown?: ServeOptions,
): Promise<Started> {
  const seen: Context[] = [];
  const logged: number[] = [];
  const home = transport.server();
  const serving = shutdown && serve(home.server, { signals: [], ...shutdown });
  const knows = framework.knowsConnection ?? true;
  const listener = await framework.app(watched(work, seen), {
    ...(serving && !knows && { parent: serving.requests }),
    ...limits,
    http2: transport.http2,
  });
  await home.listen((req, res) => {
    res.on("close", () => setImmediate(() => logged.push(res.statusCode)));
    listener(req, res);
  });
  return {
    ...{ seen, logged },
    connections: home.connections,
    occupied: home.occupied,
    get ctx(): Context {
      return there(seen[0], "no handler has begun");
    },
    get serving(): Serving {
      return there(serving, "started without a shutdown");
    },
    visitor: () => home.visitor(),
    async [Symbol.asyncDispose]() {
      await quiet(seen);
      await home[Symbol.asyncDispose]();
    },
  };
}

export const forever: Work = (ctx) => sleep(ctx, Infinity) as Promise<never>;
export const afterTheBody: Work = async (ctx, body) => (await body(), forever(ctx, body));
export async function* parts(ctx: Context, n = Infinity): AsyncGenerator<string> {
  for (let i = 0; i < n; i++) {
    yield `part ${i}\n`;
    await sleep(ctx, 2);
  }
}

/** Opened when the test says so, whatever becomes of the context. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}
export function gate(): Gate {
  let open: (() => void) | undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open?.() };
}

export const get = (visitor: Visitor): void => visitor.get();
export const post = (visitor: Visitor): void => visitor.post("body");

/** What a request is asked of: a server on one transport, and a visitor who has asked. */
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
