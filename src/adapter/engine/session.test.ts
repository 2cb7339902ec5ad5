/** The life of an engine's session, with connections that the tests control. */
import { describe, expect, test } from "vitest";
import { background, withCancel, type Context, Semaphore, type Permit } from "../../index.ts";
import { flush, turn } from "../../../test/support.ts";
import { adapterThrew, Deferred, rejection, watchReports } from "../../../test/support/reports.ts";
import type { Stream } from "../session.ts";
import { engineSessions, EngineSession, type ConnectionSource } from "./session.ts";

const warnings = watchReports();

/** A source of connections that are strings. `events` lists what it and its sessions did. */
class TestSource implements ConnectionSource<string> {
  readonly places = new Semaphore(1);
  readonly events: string[] = [];
  onOpen: () => string | Promise<string> = () => "connection";
  onClose: () => void | Promise<void> = () => undefined;

  open(): string | Promise<string> {
    this.events.push("open");
    return this.onOpen();
  }
  close(connection: string, mustRollBack: boolean): void | Promise<void> {
    this.events.push(`close ${connection}${mustRollBack ? ", rolled back" : ""}`);
    return this.onClose();
  }
}

/** A session that records what it is asked to do, and runs each statement in its turn. */
class TestSession extends EngineSession<string, { mode: string }> {
  readonly statements = { run: (ctx: Context) => this.execute(ctx, "STATEMENT") };
  readonly contexts: Context[] = [];
  onExecute: (sql: string) => unknown = () => undefined;
  onCheckCommit: () => void = () => undefined;
  readonly #events: string[];

  constructor(source: TestSource, connection: string, place: Permit) {
    super(source, connection, place);
    this.#events = source.events;
  }
  open(): Stream {
    throw new Error("no test opens a stream");
  }
  async execute(ctx: Context, sql: string): Promise<void> {
    const turn = await this.turns.places.acquire(ctx);
    let wasStopped = false;
    try {
      const connection = await this.turns.open();
      this.#events.push(`${connection}: ${sql}`);
      this.contexts.push(ctx);
      await this.onExecute(sql);
    } catch (error) {
      wasStopped = error === STOPPED;
      throw error;
    } finally {
      await this.turns.close("connection", wasStopped);
      turn.release();
    }
  }
  async reset(ctx: Context): Promise<void> {
    await this.execute(ctx, "ROLLBACK");
    this.isInTransaction = false;
  }
  protected override beginStatement(options: { mode: string } | undefined): string {
    if (options !== undefined && typeof options.mode !== "string") throw new TypeError("no mode");
    return options === undefined ? "BEGIN" : `BEGIN ${options.mode}`;
  }
  protected override async tidy(mustRollBack: boolean): Promise<void> {
    if (mustRollBack) this.#events.push("tidy with a rollback");
    await Promise.resolve();
  }
  protected override async checkCommit(): Promise<void> {
    this.onCheckCommit();
    await super.checkCommit();
  }
  get state(): unknown {
    return { isInTransaction: this.isInTransaction, isDestroyed: this.isDestroyed };
  }
}

const STOPPED = new Error("stopped");

async function take(source: TestSource, ctx = background()): Promise<TestSession> {
  let session!: TestSession;
  const create = (connection: string, place: Permit): TestSession =>
    (session = new TestSession(source, connection, place));
  expect(await engineSessions(source, create).take(ctx)).toBe(session);
  return session;
}

describe("an engine's session", () => {
  test("takes a place and then a connection, and gives both back at its end", async () => {
    const source = new TestSource();
    const session = await take(source);
    expect(source.places.free).toBe(0);
    expect(source.events).toEqual(["open"]);
    session.end();
    await flush();
    expect(source.events).toEqual(["open", "close connection"]);
    expect(source.places.free).toBe(1);
  });

  test("waits for a place until its context ends", async () => {
    const source = new TestSource();
    await take(source);
    const ctx = withCancel(background());
    const waiting = take(source, ctx);
    ctx.cancel();
    expect(await rejection(waiting)).toBe(ctx.err());
    expect(source.events).toEqual(["open"]);
  });

  test.each<[what: string, error: Error]>([
    ["throws", new Error("the database is closed")],
    ["rejects", new Error("too many connections")],
  ])("gives its place back if `open` %s", async (how, error) => {
    const source = new TestSource();
    source.onOpen = () => {
      if (how === "throws") throw error;
      return Promise.reject(error);
    };
    expect(await rejection(take(source))).toBe(error);
    expect(source.places.free).toBe(1);
  });

  test("runs one operation at a time, in order", async () => {
    const source = new TestSource();
    const session = await take(source);
    const first = new Deferred();
    session.onExecute = (sql) => (sql === "1" ? first.promise : undefined);
    const running = [session.execute(background(), "1"), session.execute(background(), "2")];
    await flush();
    expect(source.events).toEqual(["open", "connection: 1"]);
    first.resolve();
    await Promise.all(running);
    expect(source.events).toEqual(["open", "connection: 1", "connection: 2"]);
  });

  test("keeps its connection, after its end, until the operation that runs has ended", async () => {
    const source = new TestSource();
    const session = await take(source);
    const step = new Deferred();
    session.onExecute = () => step.promise;
    const running = session.execute(background(), "SELECT");
    await flush();
    session.end();
    await flush();
    expect(source.events.at(-1)).toBe("connection: SELECT");
    expect(source.places.free).toBe(0);
    step.resolve();
    await running;
    await flush();
    expect(source.events.at(-1)).toBe("close connection");
    expect(source.places.free).toBe(1);
  });

  test("gives its place back only when its connection is closed", async () => {
    const source = new TestSource();
    const closed = new Deferred();
    source.onClose = () => closed.promise;
    (await take(source)).end();
    await flush();
    expect(source.places.free).toBe(0);
    closed.resolve();
    await flush();
    expect(source.places.free).toBe(1);
  });

  test.each(["throws", "rejects"])(
    "gives its place back if the close of its connection %s, and that is a warning",
    async (how) => {
      const source = new TestSource();
      source.onClose = () => {
        if (how === "throws") throw new Error("closed twice");
        return Promise.reject(new Error("closed twice"));
      };
      const session = await take(source);
      session.end();
      await turn();
      expect(source.places.free).toBe(1);
      expect(warnings).toMatchObject([adapterThrew("close", "closed twice")]);
      expect(await rejection(session.execute(background(), "SELECT"))).toBeInstanceOf(TypeError);
    },
  );

  test("refuses operations after its end with a TypeError", async () => {
    const source = new TestSource();
    const session = await take(source);
    session.end();
    const error = await rejection(session.statements.run(background()));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(
      "this connection was given back; await everything that uses it before its function returns",
    );
    expect(source.events).toEqual(["open", "close connection"]);
  });

  test("is rolled back at its end if it was destroyed", async () => {
    const source = new TestSource();
    const session = await take(source);
    expect(session.state).toMatchObject({ isDestroyed: false });
    session.destroy();
    expect(session.state).toMatchObject({ isDestroyed: true });
    expect(source.events).toEqual(["open"]);
    session.end();
    await flush();
    expect(source.events).toEqual(["open", "close connection, rolled back"]);
  });

  test("is rolled back after an operation that was stopped, and not after one that was not", async () => {
    const source = new TestSource();
    const session = await take(source);
    await session.execute(background(), "SELECT");
    session.onExecute = () => Promise.reject(new Error("own"));
    await rejection(session.execute(background(), "SELECT"));
    expect(source.events).not.toContain("tidy with a rollback");
    session.onExecute = () => Promise.reject(STOPPED);
    await rejection(session.execute(background(), "SELECT"));
    expect(source.events.at(-1)).toBe("tidy with a rollback");
  });
});

describe("a transaction on an engine's session", () => {
  test("is begun with its options, committed, and open in between", async () => {
    const source = new TestSource();
    const session = await take(source);
    const steps = session.transactionSteps({ mode: "IMMEDIATE" });
    expect(session.state).toMatchObject({ isInTransaction: false });
    await steps.begin(background());
    expect(session.state).toMatchObject({ isInTransaction: true });
    await steps.commit(background());
    expect(session.state).toMatchObject({ isInTransaction: false });
    expect(source.events.slice(1)).toEqual(["connection: BEGIN IMMEDIATE", "connection: COMMIT"]);
  });

  test("is not open if its BEGIN fails", async () => {
    const session = await take(new TestSource());
    session.onExecute = () => Promise.reject(STOPPED);
    expect(await rejection(session.transactionSteps(undefined).begin(background()))).toBe(STOPPED);
    expect(session.state).toMatchObject({ isInTransaction: false });
  });

  test("is refused at once if an option is wrong", async () => {
    const session = await take(new TestSource());
    expect(() => session.transactionSteps({} as never)).toThrow("no mode");
  });

  test("stays open after a stop, so that later statements of its function fail in it", async () => {
    const source = new TestSource();
    const session = await take(source);
    await session.transactionSteps(undefined).begin(background());
    session.onExecute = () => Promise.reject(STOPPED);
    await rejection(session.execute(background(), "INSERT"));
    expect(source.events).not.toContain("tidy with a rollback");
  });

  test("commits under a context that never ends, because a COMMIT must not be interrupted", async () => {
    const session = await take(new TestSource());
    const ctx = withCancel(background());
    const steps = session.transactionSteps(undefined);
    await steps.begin(ctx);
    await steps.commit(ctx);
    expect(session.contexts).toEqual([ctx, background()]);
  });

  test.each(["before the check", "during the check"])(
    "does not commit if its context ends %s of the commit",
    async (when) => {
      const source = new TestSource();
      const session = await take(source);
      const ctx = withCancel(background());
      let checks = 0;
      session.onCheckCommit = () => {
        checks++;
        ctx.cancel();
      };
      const steps = session.transactionSteps(undefined);
      await steps.begin(ctx);
      if (when === "before the check") ctx.cancel();
      expect(await rejection(steps.commit(ctx))).toBe(ctx.err());
      expect(checks).toBe(when === "before the check" ? 0 : 1);
      expect(source.events).not.toContain("connection: COMMIT");
      expect(session.state).toMatchObject({ isInTransaction: true });
    },
  );

  test("does not commit if the check finds that nothing would be committed", async () => {
    const source = new TestSource();
    const session = await take(source);
    const nothing = new Error("nothing was committed");
    session.onCheckCommit = () => {
      throw nothing;
    };
    expect(await rejection(session.transactionSteps(undefined).commit(background()))).toBe(nothing);
    expect(source.events).toEqual(["open"]);
  });

  test("is rolled back by the session's reset, and destroyed with the session", async () => {
    const source = new TestSource();
    const session = await take(source);
    const steps = session.transactionSteps(undefined);
    const ctx = withCancel(background());
    await steps.begin(ctx);
    await steps.rollback(ctx);
    expect(source.events.at(-1)).toBe("connection: ROLLBACK");
    expect(session.contexts.at(-1)).toBe(ctx);
    steps.destroy(new Error("the rollback failed"));
    expect(session.state).toEqual({ isInTransaction: false, isDestroyed: true });
  });
});

test("a session of an engine that ends transactions by itself can refuse each operation before it runs", async () => {
  const ended = new Error("the transaction has ended");
  class Checked extends TestSession {
    protected override checkTransaction(): void {
      if (this.isInTransaction) throw ended;
    }
  }
  const source = new TestSource();
  const session = new Checked(source, "connection", await source.places.acquire(background()));
  await session.transactionSteps(undefined).begin(background());
  expect(await rejection(session.execute(background(), "INSERT"))).toBe(ended);
  expect(source.events).toEqual(["connection: BEGIN"]);
});
