/** What one test works with: the adapter, connected through a relay of its own. */
import { background, withCancel, type Context } from "../../index.ts";
import type { AdapterUnderTest, OpenedAdapter, Task } from "./adapter.ts";
import { startRelay } from "./relay.ts";
import type { Link, MessageListener, Relay } from "./relayed.ts";
import { limited, outcomeOf, until, type Outcome } from "./time.ts";

/** One way to run an operation. */
export interface Form<Db> {
  readonly name: string;
  run(db: Db, ctx: Context, task: Task): PromiseLike<unknown>;
  /** What happens to the connection after the context has ended, if it is not `documented.afterStop`. */
  readonly afterEnd?: "destroy";
}

export interface StageOptions {
  /** The default is 1. */
  connections?: number;
  /** The default is 3,000 milliseconds. */
  stopTimeout?: number;
}

/** An operation that the server is running. */
export interface Running {
  readonly task: Task;
  /** How the operation ends. */
  readonly outcome: Promise<Outcome>;
}

let tags = 0;
export function nextTag(): string {
  return `conformance_${process.pid}_${++tags}`;
}

/** Milliseconds for conditions that hold soon after the adapter has done its part. */
const SOON = 5_000;
const CLOSE_LIMIT = 3_000;

export class Stage<Db> {
  readonly adapter: AdapterUnderTest<Db>;
  readonly opened: OpenedAdapter<Db>;
  readonly db: Db;
  /** `undefined` for an engine inside the process. */
  readonly relay: Relay | undefined;
  /** Called with each stop request before it is passed on. */
  onStop: MessageListener | undefined;
  /** Called with each other message before it is passed on. */
  onOther: MessageListener | undefined;
  /** How many stop requests were sent. */
  stops = 0;
  /** How many other messages the client has sent. */
  messages = 0;
  /** The connections that carried other messages than stop requests. */
  readonly #links = new Set<Link>();
  /** The connection that carried the last message of the client, stop requests aside. */
  link: Link | undefined;
  readonly #contexts: { cancel(): void }[] = [];

  private constructor(
    adapter: AdapterUnderTest<Db>,
    opened: OpenedAdapter<Db>,
    relay: Relay | undefined,
  ) {
    this.adapter = adapter;
    this.opened = opened;
    this.db = opened.db;
    this.relay = relay;
    this.watchStops();
  }

  /** Connects the adapter. */
  static async open<Db>(
    adapter: AdapterUnderTest<Db>,
    { connections = 1, stopTimeout = 3_000 }: StageOptions,
  ): Promise<Stage<Db>> {
    const server = typeof adapter.server === "function" ? await adapter.server() : adapter.server;
    const relay = server === undefined ? undefined : await startRelay(server, adapter.split);
    const { host, port } = relay ?? server ?? { host: "", port: 0 };
    try {
      const opened = await adapter.open({ host, port, connections, stopTimeout });
      return new Stage(adapter, opened, relay);
    } catch (error) {
      relay?.close();
      throw error;
    }
  }

  /** Directs the relay's messages to `onStop` and `onOther`, as they are from the beginning. */
  watchStops(): void {
    const { relay, adapter } = this;
    if (relay === undefined) return;
    relay.onMessage = (message) => {
      if (message.from === "client" && adapter.isStopRequest?.(message.bytes) === true) {
        this.stops++;
        return this.onStop?.(message);
      }
      if (message.from === "client") {
        this.messages++;
        this.link = message.link;
        this.#links.add(message.link);
      }
      return this.onOther?.(message);
    };
  }

  /**
   * How many connections the adapter has closed, those of its stops aside. Without `isStopRequest`, the
   * kit cannot tell the two apart, and counts none.
   */
  get destroyed(): number {
    if (this.adapter.isStopRequest === undefined) return 0;
    return [...this.#links].filter(({ isClosed }) => isClosed).length;
  }

  /** Returns a context that the end of the test cancels. */
  context(parent: Context = background()): ReturnType<typeof withCancel> {
    const ctx = withCancel(parent);
    this.#contexts.push(ctx);
    return ctx;
  }

  /** Starts an operation, and resolves when the server runs it. */
  async startRunning(form: Form<Db>, ctx: Context, ms: number, i = 7): Promise<Running> {
    const task = { i, ms, tag: nextTag() };
    const outcome = outcomeOf(form.run(this.db, ctx, task));
    let ended: Outcome | undefined;
    void outcome.then((end) => (ended = end));
    await until(
      `the server never ran ${form.name} (isRunning returned false)`,
      async () => {
        if (await this.adapter.isRunning(task.tag)) return true;
        if (ended !== undefined) throw new Error(`${form.name} ended at once: ${show(ended)}`);
        return false;
      },
      SOON,
    );
    return { task, outcome };
  }

  /** Runs an operation that must succeed on the pool. `after` says what has happened before. */
  async expectUsable(after: string): Promise<void> {
    const i = 1000 + ++tags;
    // Before the first operation that can be stopped, an adapter may ask the server how to stop it.
    using ctx = withCancel(background());
    const quick = outcomeOf(this.adapter.quick(this.db, ctx, i));
    const outcome = await limited(
      `${after}, the next operation got no connection: give the connection back in \`release\`, or destroy it in \`destroy\``,
      quick,
      SOON,
    );
    if ("error" in outcome) {
      throw new Error(`${after}, the next operation failed: ${String(outcome.error)}`, {
        cause: outcome.error,
      });
    }
    if (outcome.value !== i) {
      throw new Error(
        `${after}, the next operation got a foreign result: ${String(outcome.value)} instead of ${i}`,
      );
    }
  }

  /** The pool serves the next operation, all its connections are free, and none is in a transaction. */
  async expectWhole(after: string): Promise<void> {
    await this.expectUsable(after);
    const { pool } = this.opened;
    if (pool !== undefined) {
      await until(
        `${after}, the pool is not whole: ${pool.total()} connections, ${pool.idle()} of them free, and ${pool.waiting()} callers waiting`,
        () => pool.total() === pool.idle() && pool.waiting() === 0,
        SOON,
      );
    }
    // The server may learn a moment later that a connection has broken.
    await until(
      `${after}, a connection is still inside a transaction: roll back`,
      async () => ((await this.opened.openTransactions?.()) ?? 0) === 0,
      SOON,
    );
  }

  /** Ends the test. Throws if the adapter cannot be closed, because a connection is still in use. */
  async close(): Promise<void> {
    for (const ctx of this.#contexts) ctx.cancel();
    this.onStop = this.onOther = undefined;
    try {
      await limited(
        "close() did not resolve at the end of the test: a connection was not given back",
        this.opened.close(),
        CLOSE_LIMIT,
      );
    } finally {
      this.relay?.close();
    }
  }
}

/** Whether the adapter uses a connection again after each stop, also after one that was not proven. */
export function reusesAlways<Db>({ documented }: AdapterUnderTest<Db>): boolean {
  return (documented?.afterStop ?? "reuse") === "reuse";
}

export function show(outcome: Outcome): string {
  return "error" in outcome
    ? `it rejected with ${String(outcome.error)}`
    : `it resolved with ${String(outcome.value)}`;
}
