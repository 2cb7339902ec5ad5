/** The shutdown of one server, step by step; `serve.ts` says what each step means. */
import { afterFunc, background, sleep, withCancel, withTimeout } from "../../index.ts";
import { Shutdown } from "../request/causes.ts";
import { Connections, type ServerLike } from "./connections.ts";
import { subscribeToRequests, type RequestTracker } from "../request/request-tracker.ts";
import { onRequestEnd, type RequestLike, type ResponseLike } from "../request/request-end.ts";
import type { ServeOptions, Serving, ShutdownReport } from "./serve.ts";
import { checkSignals, onSignals, signalNumber } from "./signals.ts";

const shutdown = new Shutdown();

/** How often connections are looked at that have become idle without a word. */
const SWEEP = 50;

/** How long `done` waits for connections that have been destroyed. */
const LAST = 1_000;

export class ServerShutdown implements Serving, RequestTracker {
  readonly context = withCancel(background());
  readonly requests = withCancel(background());
  readonly done: Promise<ShutdownReport>;

  readonly #server: ServerLike;
  readonly #times: Required<Pick<ServeOptions, "delay" | "gracePeriod" | "forceAfter">>;
  readonly #connections: Connections;
  /** What is being answered, with its connection where that is its own. */
  readonly #open = new Map<object, object | undefined>();
  /** What runs on without its client. */
  readonly #staying = new Set<object>();
  /** Done when the server is closed, and nothing runs on. */
  readonly #closed = withCancel(background());
  readonly #unlisten: () => void;
  #signal: string | undefined;
  #told = false;
  #report = { drained: 0, canceled: 0, destroyed: 0 };
  #started = NaN;
  #serverClosed = false;
  #givenUp = false;

  constructor(server: ServerLike, options: ServeOptions) {
    const { signals = ["SIGTERM", "SIGINT"], until } = options;
    const { delay = 0, gracePeriod = 7_000, forceAfter = 2_000 } = options;
    checkSignals(signals, "serve");
    for (const ms of [delay, gracePeriod, forceAfter]) withTimeout(background(), ms); // refuses what is no duration
    const stop = until && afterFunc(until, () => this.close());
    this.#server = server;
    this.#times = { delay, gracePeriod, forceAfter };
    subscribeToRequests();
    this.#connections = new Connections(server, this, (stream) => {
      this.#begun(stream, undefined);
      stream.on("close", () => {
        this.#over(stream);
      });
    });
    this.#unlisten = onSignals(signals, this.#heard);
    this.done = new Promise((resolve) => {
      const over = (): void => {
        // Those that run on without their client are waited for as well.
        if (this.draining && this.#staying.size > 0 && !this.#givenUp) return;
        const took = this.draining ? performance.now() - this.#started : 0;
        if (this.#closed.err() !== undefined) return;
        stop?.();
        this.#unlisten();
        this.#connections.forget();
        this.#closed.cancel(shutdown);
        // The last answer may hear of its end after the server does (Node 24, TLS).
        void turns(() => {
          // Those who have not said so are over as well: no connection is left.
          if (this.draining && this.requests.err() === undefined)
            this.#report.drained += this.#open.size;
          this.context.cancel(shutdown);
          this.requests.cancel(shutdown);
          resolve({ signal: this.#signal, ...this.#report, took });
        });
      };
      server.prependListener("close", () => {
        this.#serverClosed = true;
        over();
      });
      this.#finish = over;
    });
  }

  get draining(): boolean {
    return !Number.isNaN(this.#started);
  }

  close(): Promise<ShutdownReport> {
    if (!this.draining && this.#closed.err() === undefined) {
      this.#started = performance.now();
      void this.#shutDown();
    }
    return this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A request of HTTP/1. */
  onRequest(req: RequestLike, res: ResponseLike): void {
    this.#begun(res, req.socket);
    if (this.draining) sayClose(res);
    onRequestEnd(req, res, {
      onEnd: () => {
        this.#over(res);
      },
    });
  }

  onUpgrade(req: RequestLike): void {
    this.#begun(req, req.socket);
    onRequestEnd(req, undefined, {
      onEnd: () => {
        this.#over(req);
      },
    });
  }

  continues(): () => void {
    const leave = (): void => {
      this.#staying.delete(leave);
      if (this.#serverClosed) this.#finish();
    };
    this.#staying.add(leave);
    return leave;
  }

  readonly #heard = (signal: string): void => {
    // After `close` the first signal is nothing new, and no second.
    if (this.#told) process.exit(128 + signalNumber(signal));
    this.#told = true;
    if (!this.draining) this.#signal = signal;
    void this.close();
  };
  #finish: () => void = () => undefined;

  #begun(request: object, connection: object | undefined): void {
    this.#open.set(request, connection);
  }

  #over(request: object): void {
    if (!this.#open.delete(request)) return;
    if (this.draining && this.requests.err() === undefined) this.#report.drained++;
  }

  get #busy(): Set<object> {
    return new Set([...this.#open.values()].filter((connection) => connection !== undefined));
  }

  async #shutDown(): Promise<void> {
    const { delay, gracePeriod, forceAfter } = this.#times;
    this.context.cancel(shutdown);
    for (const request of this.#open.keys()) sayClose(request);
    await this.#pause(delay);
    // What has arrived is read in the meantime, and so is no idle connection's.
    await turns();
    if (this.#closed.err() !== undefined) return;
    this.#server.close();
    void this.#sweep();
    await this.#pause(gracePeriod);
    if (this.#closed.err() !== undefined) return;
    const others = this.#connections.others(this.#busy);
    this.#report.canceled = this.#open.size + this.#staying.size + others.length;
    this.requests.cancel(shutdown);
    for (const socket of others) socket.end();
    await this.#pause(forceAfter);
    if (this.#closed.err() !== undefined) return;
    this.#report.destroyed = this.#connections.size;
    this.#connections.destroy();
    await this.#pause(LAST);
    this.#givenUp = true;
    this.#finish(); // a connection from before our time
  }

  async #sweep(): Promise<void> {
    while (this.#closed.err() === undefined) {
      this.#connections.closeIdle(this.#busy);
      await this.#pause(SWEEP);
    }
  }

  /** Ends early if the server is closed. */
  async #pause(ms: number): Promise<void> {
    await sleep(this.#closed, ms).catch(() => undefined);
  }
}

/** Two turns of the event loop: all that had arrived before is read, and its listeners have run. */
async function turns(then = (): void => undefined): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
  then();
}

/**
 * HTTP/2 has its GOAWAY, and an upgraded connection has left HTTP. Not by a header where that can
 * be helped: Koa removes all there are before it answers an error.
 */
function sayClose(request: object): void {
  const response: Partial<AnswerToBe> = request;
  if (response.headersSent !== false) return;
  if (response.shouldKeepAlive !== undefined) response.shouldKeepAlive = false;
  else response.setHeader?.("connection", "close");
}

interface AnswerToBe {
  readonly headersSent: boolean;
  /** Node's own word for it. */
  shouldKeepAlive: boolean;
  setHeader(name: string, value: string): unknown;
}
