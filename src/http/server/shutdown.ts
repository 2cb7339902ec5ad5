/** The shutdown of one server, phase by phase. The doc comment of `serve` lists the phases. */
import { afterFunc, background, sleep, withCancel, type Context } from "../../index.ts";
import { shutdown } from "../request/causes.ts";
import { subscribeToRequests } from "../request/request-tracker.ts";
import { Connections } from "./connections.ts";
import { twoTurns } from "./event-loop.ts";
import { OpenRequests } from "./open-requests.ts";
import { onSignals, signalNumber } from "./signals.ts";
import type { ServeOptions, ServerLike, Serving, ShutdownReport } from "./types.ts";

/** A server enters these phases in this order. It may skip phases, and "closed" is the last one. */
type Phase = "serving" | "draining" | "closing" | "canceling" | "destroying" | "closed";

/** Milliseconds between two searches for connections that have become idle, which emit no event. */
const IDLE_CHECK = 50;

/** Milliseconds after which the server counts as closed although a connection has not reported its end. */
const LAST_WAIT = 1_000;

export class ServerShutdown implements Serving {
  readonly context = withCancel(background());
  readonly requests: Context;
  readonly done: Promise<ShutdownReport>;

  readonly #durations: Required<Pick<ServeOptions, "delay" | "gracePeriod" | "forceAfter">>;
  readonly #openRequests: OpenRequests;
  readonly #connections: Connections;
  /** Ends in the phase "closed": no other phase follows, and waits end early. */
  readonly #closed = withCancel(background());
  readonly #stopListening: () => void;
  #phase: Phase = "serving";
  /** When the phase "draining" began, by `performance.now()`. */
  #startedAt: number | undefined;
  #hasServerClosed = false;
  #firstSignal: string | undefined;
  #report = { signal: undefined as string | undefined, canceled: 0, destroyed: 0, took: 0 };
  #resolve: (report: ShutdownReport) => void = () => undefined;

  /** The options have been checked. */
  constructor(server: ServerLike, options: ServeOptions) {
    const { signals = ["SIGTERM", "SIGINT"], until, onDetachedError } = options;
    const { delay = 0, gracePeriod = 7_000, forceAfter = 2_000 } = options;
    this.#durations = { delay, gracePeriod, forceAfter };
    this.done = new Promise((resolve) => (this.#resolve = resolve));
    this.#openRequests = new OpenRequests(this.#onIdle, onDetachedError);
    this.requests = this.#openRequests.requests;
    subscribeToRequests();
    this.#connections = new Connections(server, this.#openRequests);
    server.prependListener("close", this.#onServerClose);
    const ignoreSignals = onSignals(signals, this.#onSignal);
    const ignoreUntil = until && afterFunc(until, () => this.close());
    this.#stopListening = () => {
      ignoreUntil?.();
      ignoreSignals();
      this.#connections.stopListening();
    };
  }

  get draining(): boolean {
    return this.#startedAt !== undefined;
  }

  close(): Promise<ShutdownReport> {
    if (this.#phase === "serving") this.#enter("draining");
    return this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #onSignal = (signal: string): void => {
    // A first signal after `close` changes nothing. It does not count as the second one.
    if (this.#firstSignal !== undefined) process.exit(128 + signalNumber(signal));
    this.#firstSignal = signal;
    if (this.#phase === "serving") this.#report.signal = signal;
    void this.close();
  };

  readonly #onServerClose = (): void => {
    this.#hasServerClosed = true;
    // A plain `server.close()` waits for no client. Its limits for a `shield` are those of a shutdown.
    if (this.#phase === "serving") {
      this.#enter(this.#openRequests.hasOutliving ? "draining" : "closed");
    } else if (this.#phase === "destroying" || !this.#openRequests.isBusy) this.#enter("closed");
  };

  /** A handler may start its next `shield` right after one, so this waits before it looks. */
  readonly #onIdle = (): void => {
    if (!this.#hasServerClosed) return;
    void twoTurns().then(() => {
      if (!this.#openRequests.isBusy) this.#enter("closed");
    });
  };

  /** The only place where the phase changes. */
  #enter(phase: Exclude<Phase, "serving">): void {
    if (this.#phase === "closed") return;
    this.#phase = phase;
    const { delay, gracePeriod, forceAfter } = this.#durations;
    switch (phase) {
      case "draining":
        this.#startedAt = performance.now();
        this.#openRequests.startDraining();
        this.context.cancel(shutdown);
        // Within two turns, requests that have arrived are read. Their connections are then not
        // idle.
        void this.#pause(delay)
          .then(twoTurns)
          .then(() => this.#enter("closing"));
        break;
      case "closing":
        if (!this.#hasServerClosed) {
          this.#connections.closeServer(this.#openRequests.busyConnections);
        }
        void this.#closeIdleConnections();
        void this.#pause(gracePeriod).then(() => this.#enter("canceling"));
        break;
      case "canceling": {
        const others = this.#connections.others(this.#openRequests.busyConnections);
        this.#report.canceled = this.#openRequests.cancel() + others.length;
        for (const socket of others) socket.end();
        void this.#pause(forceAfter).then(() => this.#enter("destroying"));
        break;
      }
      case "destroying":
        this.#report.destroyed = this.#connections.size;
        this.#connections.destroy();
        if (this.#hasServerClosed) this.#enter("closed");
        // A connection that was opened before `serve` was called may keep the server from closing.
        void this.#pause(LAST_WAIT).then(() => this.#enter("closed"));
        break;
      case "closed":
        if (this.#startedAt !== undefined) this.#report.took = performance.now() - this.#startedAt;
        this.#stopListening();
        this.#closed.cancel(shutdown);
        // The last response may report its end after the server does (Node 24, TLS).
        void twoTurns().then(this.#finish);
    }
  }

  readonly #finish = (): void => {
    this.#openRequests.closeAll();
    this.context.cancel(shutdown);
    const { drained, abandoned } = this.#openRequests;
    this.#resolve({ ...this.#report, drained, abandoned });
  };

  /** Repeats until the server is closed, because busy connections become idle later. */
  async #closeIdleConnections(): Promise<void> {
    while (this.#closed.err() === undefined) {
      this.#connections.closeIdle(this.#openRequests.busyConnections);
      await this.#pause(IDLE_CHECK);
    }
  }

  /** Waits for `ms` milliseconds, or until the server is closed. */
  async #pause(ms: number): Promise<void> {
    await sleep(this.#closed, ms).catch(() => undefined);
  }
}
