/** What `transaction`, `connection` and `stream` do with a session, with sessions that the tests control. */
import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { background, shield, withCancel, withTimeout, type Context } from "../index.ts";
import { flush, turn } from "../../test/support.ts";
import { adapterThrew, Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { RowBuffer } from "./row-buffer.ts";
import type { ConnectionOptions, Session, Stream } from "./session.ts";
import { sessionMethods } from "./sessions.ts";
import type { TransactionSteps } from "./transaction.ts";

const warnings = watchReports();

interface Options {
  readonly?: boolean;
}
interface Statements {
  query(ctx: Context, sql: string, n?: number): Promise<string>;
}

/** Rejects when the context ends, as an operation under it does. */
const untilDone = (ctx: Context): Promise<never> =>
  new Promise((_, reject) => {
    const end = (): void => reject(ctx.err()!);
    if (ctx.err() !== undefined) end();
    else ctx.signal.addEventListener("abort", end);
  });

/** The rows 1, 2 and 3, each a batch of its own. Ends when it is read, when it is left, or with `ctx`. */
class TestStream implements Stream<number> {
  readonly ended: Promise<void>;
  readonly #left = [1, 2, 3];
  readonly #end = new Deferred();
  readonly #rows = new RowBuffer<number>({
    resume: () => {
      const row = this.#left.shift();
      if (row === undefined) this.#end.resolve();
      else this.#rows.push(row);
    },
    close: () => this.#end.resolve(),
  });

  constructor(ctx: Context, events: string[]) {
    untilDone(ctx).catch(this.#end.reject);
    this.ended = this.#end.promise.finally(() => events.push("stream ended"));
    this.ended.then(
      () => this.#rows.end(),
      (error: unknown) => this.#rows.fail(error),
    );
  }
  next(): Promise<readonly number[] | undefined> {
    return this.#rows.next();
  }
  close(): Promise<void> {
    return this.#rows.close();
  }
}

/** A session that records what it is asked to do. A statement of SLEEP ends only with its context. */
class TestSession implements Session<Options, Statements, [sql: string], number> {
  readonly events: string[] = [];
  readonly destroyed: unknown[] = [];
  /** What happens in place of a statement, by its SQL. */
  readonly overrides: Record<string, (ctx: Context) => unknown> = {};
  noSavepointsMessage?: string;
  readonly statements: Statements = {
    query: async (ctx, sql, n) => await this.execute(ctx, n === undefined ? sql : `${sql} ${n}`),
  };

  async execute(ctx: Context, sql: string): Promise<string> {
    if (ctx.err() !== undefined) throw ctx.err()!;
    this.events.push(sql);
    await this.overrides[sql]?.(ctx);
    if (sql === "SLEEP") await untilDone(ctx);
    return `result of ${sql}`;
  }
  open(ctx: Context, sql: string): Stream<number> {
    this.events.push(sql);
    this.overrides[sql]?.(ctx);
    return new TestStream(ctx, this.events);
  }
  transactionSteps(options: Options | undefined): TransactionSteps {
    if (options !== undefined && !("readonly" in options)) throw new TypeError("unknown option");
    return {
      begin: (ctx) => this.execute(ctx, options?.readonly === true ? "BEGIN READ ONLY" : "BEGIN"),
      commit: (ctx) => this.execute(ctx, "COMMIT"),
      rollback: (ctx) => this.execute(ctx, "ROLLBACK"),
      destroy: (reason) => this.destroy(reason),
    };
  }
  reset(ctx: Context): Promise<string> {
    return this.execute(ctx, "RESET");
  }
  destroy(reason: unknown): void {
    this.events.push("destroy");
    this.destroyed.push(reason);
  }
  end(): void {
    this.events.push("end");
    this.overrides["end"]?.(background());
  }
}

/** The methods on one session, which each use takes. */
function start(overrides: TestSession["overrides"] = {}, stopTimeout?: number) {
  const session = new TestSession();
  Object.assign(session.overrides, overrides);
  const taken: Context[] = [];
  const source = {
    take: (ctx: Context): Promise<TestSession> => {
      taken.push(ctx);
      return Promise.resolve(session);
    },
  };
  const db = sessionMethods(stopTimeout === undefined ? source : { ...source, stopTimeout });
  return { db, session, events: session.events, taken };
}

const fails = (error: Error) => () => Promise.reject(error);
const throws = (error: unknown) => (): never => {
  throw error;
};

describe("a transaction", () => {
  test("runs its statements between BEGIN and COMMIT on one session, and then ends the session", async () => {
    const { db, events, taken } = start();
    const ctx = background();
    const result = await db.transaction(ctx, async (tx) => {
      const answer = await tx.query(ctx, "SELECT", 1);
      expect(answer).toBe("result of SELECT 1");
      return 7;
    });
    expectTypeOf(result).toEqualTypeOf<number>();
    expect(result).toBe(7);
    expect(events).toEqual(["BEGIN", "SELECT 1", "COMMIT", "end"]);
    expect(taken).toEqual([ctx]);
  });

  test("passes its options on", async () => {
    const { db, events } = start();
    await db.transaction(background(), () => undefined, { readonly: true });
    expect(events).toEqual(["BEGIN READ ONLY", "COMMIT", "end"]);
  });

  const own = new Error("own");
  test.each<[what: string, overrides: TestSession["overrides"], events: string[]]>([
    ["BEGIN fails", { BEGIN: fails(own) }, ["BEGIN", "ROLLBACK", "end"]],
    ["a statement fails", { INSERT: fails(own) }, ["BEGIN", "INSERT", "ROLLBACK", "end"]],
    ["COMMIT fails", { COMMIT: fails(own) }, ["BEGIN", "INSERT", "COMMIT", "ROLLBACK", "end"]],
    [
      "a statement and the ROLLBACK fail",
      { INSERT: fails(own), ROLLBACK: fails(new Error("refused")) },
      ["BEGIN", "INSERT", "ROLLBACK", "destroy", "end"],
    ],
  ])("ends its session once, and rejects with the first error, if %s", async (_, over, events) => {
    const { db, session } = start(over);
    const work = db.transaction(background(), (tx) => tx.query(background(), "INSERT"));
    expect(await rejection(work)).toBe(own);
    expect(session.events).toEqual(events);
  });

  test("ends its session, and does not begin, if an option is wrong", async () => {
    const { db, events } = start();
    const work = db.transaction(background(), () => undefined, { readOnly: true } as never);
    expect(await rejection(work)).toMatchObject({ message: "unknown option" });
    expect(events).toEqual(["end"]);
  });

  test("keeps its outcome if the end of its session throws, and that is a warning", async () => {
    const { db } = start({ end: throws(new Error("released twice")) });
    expect(await db.transaction(background(), () => "result")).toBe("result");
    const failed = db.transaction(background(), throws(own));
    expect(await rejection(failed)).toBe(own);
    await turn();
    const warning = adapterThrew("end", "released twice");
    expect(warnings).toMatchObject([warning, warning]);
  });

  test("does not begin if its context has ended when the session is there", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const work = db.transaction(ctx, () => undefined);
    ctx.cancel();
    expect(await rejection(work)).toBe(ctx.err());
    expect(events).toEqual(["end"]);
  });

  test("refuses statements, nested transactions and streams after its function has returned", async () => {
    const { db, events } = start();
    const ctx = background();
    const tx = await db.transaction(ctx, (tx) => ({ ...tx }));
    events.length = 0;
    for (const late of [
      tx.query(ctx, "SELECT"),
      tx.transaction(ctx, () => undefined),
      tx.stream(ctx, "SELECT").next(),
    ]) {
      const error = await rejection(late);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^the transaction has ended/);
    }
    expect(events).toEqual([]);
  });

  test("runs a statement under both its own context and that of the statement", async () => {
    for (const ends of ["the transaction", "the statement"]) {
      const { db, events } = start();
      const [ctx, short] = [withCancel(background()), withCancel(background())];
      const ending = ends === "the transaction" ? ctx : short;
      const work = db.transaction(ctx, (tx) => {
        const sleeping = tx.query(short, "SLEEP");
        ending.cancel();
        return sleeping;
      });
      expect(await rejection(work)).toBe(ending.err());
      expect(events).toEqual(["BEGIN", "SLEEP", "ROLLBACK", "end"]);
    }
  });
});

describe("a nested transaction", () => {
  test("is a savepoint, whose name tells its depth", async () => {
    const { db, events } = start();
    const ctx = background();
    const result = await db.transaction(ctx, (tx) =>
      tx.transaction(ctx, (inner) =>
        inner.transaction(ctx, (innermost) => innermost.query(ctx, "INSERT")),
      ),
    );
    expect(result).toBe("result of INSERT");
    expect(events).toEqual([
      "BEGIN",
      "SAVEPOINT eightysix_1",
      "SAVEPOINT eightysix_2",
      "INSERT",
      "RELEASE SAVEPOINT eightysix_2",
      "RELEASE SAVEPOINT eightysix_1",
      "COMMIT",
      "end",
    ]);
  });

  test("that fails is rolled back, and the transaction around it goes on", async () => {
    const { db, events } = start();
    const ctx = background();
    const mine = new Error("mine");
    await db.transaction(ctx, async (tx) => {
      expect(await rejection(tx.transaction(ctx, throws(mine)))).toBe(mine);
      await tx.query(ctx, "INSERT");
    });
    expect(events).toEqual([
      "BEGIN",
      "SAVEPOINT eightysix_1",
      "ROLLBACK TO SAVEPOINT eightysix_1",
      "RELEASE SAVEPOINT eightysix_1",
      "INSERT",
      "COMMIT",
      "end",
    ]);
  });

  test("whose rollback fails destroys the session", async () => {
    const refused = new Error("refused");
    const { db, session } = start({ "ROLLBACK TO SAVEPOINT eightysix_1": fails(refused) });
    const ctx = background();
    const work = db.transaction(ctx, (tx) => tx.transaction(ctx, throws(new Error("mine"))));
    expect(await rejection(work)).toMatchObject({ message: "mine" });
    expect(session.destroyed).toEqual([refused]);
    expect(session.events.filter((event) => event === "end")).toHaveLength(1);
  });

  test("does not begin if the context of the transaction around it is done, whatever its own context is", async () => {
    for (const own of ["the same", "another"]) {
      const { db, events } = start();
      using ctx = withCancel(background());
      const work = db.transaction(ctx, async (tx) => {
        ctx.cancel();
        const nested = tx.transaction(own === "the same" ? ctx : background(), () => undefined);
        expect(await rejection(nested)).toBe(ctx.err());
        throw ctx.err()!;
      });
      expect(await rejection(work)).toBe(ctx.err());
      expect(events).toEqual(["BEGIN", "ROLLBACK", "end"]);
    }
  });

  test("has the connection for itself until it ends", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      await tx.transaction(ctx, async () => {
        const error = await rejection(tx.query(ctx, "INSERT"));
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(/transaction is busy with a nested transaction;/);
      });
      await tx.query(ctx, "SELECT");
    });
    expect(events).not.toContain("INSERT");
    expect(events).toContain("SELECT");
  });

  test("takes no options", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      const args = [ctx, () => undefined, { readonly: true }] as const;
      const error = await rejection(tx.transaction(...(args as never as [Context, () => void])));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(/^a nested transaction takes no options: /);
    });
    expect(events).toEqual(["BEGIN", "COMMIT", "end"]);
  });

  test("is refused with the session's own message if its database has no savepoints", async () => {
    const { db, session, events } = start();
    session.noSavepointsMessage = "this database has no savepoints";
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      const error = await rejection(tx.transaction(ctx, () => undefined));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toBe("this database has no savepoints");
    });
    expect(events).toEqual(["BEGIN", "COMMIT", "end"]);
  });
});

describe("a function on a connection", () => {
  test("runs statements and transactions with options on one session, which is reset and ended", async () => {
    const { db, events } = start();
    const ctx = background();
    const result = await db.connection(ctx, async (own) => {
      await own.query(ctx, "SET x");
      return await own.transaction(ctx, (tx) => tx.query(ctx, "SELECT"), { readonly: true });
    });
    expectTypeOf(result).toEqualTypeOf<string>();
    expect(result).toBe("result of SELECT");
    expect(events).toEqual(["SET x", "BEGIN READ ONLY", "SELECT", "COMMIT", "RESET", "end"]);
  });

  test("that throws is rejected with its error, after the statements that it left running have stopped", async () => {
    const { db, events } = start();
    const mine = new Error("mine");
    const work = db.connection(background(), (own) => {
      own.query(background(), "SLEEP").catch((error: unknown) => {
        events.push(`stopped by ${String((error as Error).cause)}`);
      });
      throw mine;
    });
    expect(await rejection(work)).toBe(mine);
    expect(events).toEqual(["SLEEP", "stopped by Error: mine", "RESET", "end"]);
  });

  test("that returns keeps its session until the statements that it did not await have ended", async () => {
    const step = new Deferred();
    const { db, events } = start({ INSERT: () => step.promise });
    const work = db.connection(background(), (own) => void own.query(background(), "INSERT"));
    await flush();
    expect(events).toEqual(["INSERT"]);
    step.resolve();
    await work;
    expect(events).toEqual(["INSERT", "RESET", "end"]);
  });

  test("is not called if its context has ended when the session is there", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const work = db.connection(ctx, () => void events.push("fn"));
    ctx.cancel();
    expect(await rejection(work)).toBe(ctx.err());
    expect(events).toEqual(["end"]);
  });

  /** Cancels the context of a function on a connection while it runs a statement. */
  const cancelDuring = async (
    { db }: Pick<ReturnType<typeof start>, "db">,
    options?: ConnectionOptions,
  ): Promise<void> => {
    using ctx = withCancel(background());
    const fn = (own: Pick<Statements, "query">): Promise<string> => {
      const sleeping = own.query(ctx, "SLEEP");
      ctx.cancel();
      return sleeping;
    };
    expect(await rejection(db.connection(ctx, fn, options))).toBe(ctx.err());
  };

  test.each([undefined, {}, { after: "close" } as const])(
    "whose context has ended is followed by the destruction of its session, with the options %o",
    async (options) => {
      const { db, session, events } = start();
      await cancelDuring({ db }, options);
      expect(events).toEqual(["SLEEP", "destroy", "end"]);
      expect(session.destroyed).toEqual([expect.objectContaining({ name: "AbortError" })]);
    },
  );

  test('is followed by a reset under a live context with the option after: "keep"', async () => {
    const { db, events } = start();
    await cancelDuring({ db }, { after: "keep" });
    expect(events).toEqual(["SLEEP", "RESET", "end"]);
  });

  test("is followed by a reset under a live context on a connection of the caller's own", async () => {
    const { session, events } = start();
    const db = sessionMethods({ isCallersOwn: true, take: () => Promise.resolve(session) });
    await cancelDuring({ db });
    expect(events).toEqual(["SLEEP", "RESET", "end"]);
  });

  test("whose context ends before a statement that it did not await is followed by the destruction of its session", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const work = db.connection(ctx, (own) => {
      own.query(ctx, "SLEEP").catch(() => undefined);
      return "result";
    });
    await flush();
    ctx.cancel();
    expect(await work).toBe("result");
    expect(events).toEqual(["SLEEP", "destroy", "end"]);
  });

  test("whose context ends during the reset keeps its session", async () => {
    using ctx = withCancel(background());
    const { db, events } = start({ RESET: () => ctx.cancel() });
    expect(await db.connection(ctx, () => "result")).toBe("result");
    expect(events).toEqual(["RESET", "end"]);
  });

  test("that fails while its context is live keeps its session", async () => {
    const { db, events } = start();
    const mine = new Error("mine");
    expect(await rejection(db.connection(background(), throws(mine)))).toBe(mine);
    expect(events).toEqual(["RESET", "end"]);
  });

  test.each([
    ["keep", /takes its options in an object, got the string "keep"/],
    [{ after: "kept" }, /takes "close" or "keep" for after, got the string "kept"/],
    [
      { afterwards: "keep" },
      /^connection\(ctx, fn, options\) got the unknown option "afterwards"; its options are: after/,
    ],
  ])(
    "with the options %o rejects with a TypeError, and takes no session",
    async (options, message) => {
      const { db, taken } = start();
      const error = await rejection(
        db.connection(background(), () => undefined, options as ConnectionOptions),
      );
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(message);
      expect(taken).toEqual([]);
    },
  );

  test("can clean up under the context of a shield after its own context has ended", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const work = db.connection(ctx, async (own) => {
      try {
        ctx.cancel();
        await own.query(ctx, "INSERT");
      } finally {
        await shield(ctx, 1_000, (live) => own.query(live, "UNLOCK"));
        await shield(ctx, 1_000, (live) => own.transaction(live, (tx) => tx.query(live, "UPDATE")));
      }
    });
    expect(await rejection(work)).toBe(ctx.err());
    expect(events).toEqual(["UNLOCK", "BEGIN", "UPDATE", "COMMIT", "destroy", "end"]);
  });

  test("cannot go on with a transaction after its context has ended, under no context", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const work = db.connection(ctx, (own) =>
      own.transaction(ctx, async (tx) => {
        ctx.cancel();
        await shield(ctx, 1_000, (live) => tx.query(live, "UPDATE"));
      }),
    );
    expect(await rejection(work)).toBe(ctx.err());
    expect(events).toEqual(["BEGIN", "ROLLBACK", "destroy", "end"]);
  });

  test("keeps its outcome if the reset fails, and the session is destroyed", async () => {
    const refused = new Error("refused");
    const { db, session, events } = start({ RESET: fails(refused) });
    expect(await db.connection(background(), () => "result")).toBe("result");
    expect(session.destroyed).toEqual([refused]);
    expect(events).toEqual(["RESET", "destroy", "end"]);
  });

  test("keeps its outcome if the reset and the destruction fail, and that is a warning", async () => {
    const { db, session, events } = start({ RESET: fails(new Error("refused")) });
    session.destroy = throws(new Error("already closed"));
    expect(await db.connection(background(), () => "result")).toBe("result");
    expect(events).toEqual(["RESET", "end"]);
    await turn();
    expect(warnings).toMatchObject([adapterThrew("destroy", "already closed")]);
  });

  test("gets an error for an option of a transaction that is wrong", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.connection(ctx, async (own) => {
      const wrong = own.transaction(ctx, () => undefined, { readOnly: true } as never);
      expect(await rejection(wrong)).toMatchObject({ message: "unknown option" });
    });
    expect(events).toEqual(["RESET", "end"]);
  });

  test("leaves the connection to its transaction until that ends", async () => {
    const { db } = start();
    const ctx = background();
    await db.connection(ctx, async (own) => {
      await own.transaction(ctx, async () => {
        const error = await rejection(own.query(ctx, "INSERT"));
        expect((error as Error).message).toMatch(/connection is busy with a transaction;/);
      });
      await own.query(ctx, "SELECT");
    });
  });

  test("gets a savepoint for a transaction within its transaction", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.connection(ctx, (own) =>
      own.transaction(ctx, (tx) => tx.transaction(ctx, () => undefined)),
    );
    expect(events).toContain("SAVEPOINT eightysix_1");
  });

  test("cannot use the connection after it has returned", async () => {
    const { db } = start();
    const own = await db.connection(background(), (own) => ({ ...own }));
    const error = await rejection(own.query(background(), "SELECT"));
    expect((error as Error).message).toMatch(/^the connection has ended/);
  });
});

describe("a stream", () => {
  const read = async (rows: AsyncIterable<number>): Promise<number[]> => {
    const seen: number[] = [];
    for await (const row of rows) seen.push(row);
    return seen;
  };

  test("takes a session at its first row, and ends it once after its last", async () => {
    const { db, events, taken } = start();
    const rows = db.stream(background(), "SELECT");
    await flush();
    expect(taken).toEqual([]);
    expect(await read(rows)).toEqual([1, 2, 3]);
    expectTypeOf(rows).toEqualTypeOf<AsyncGenerator<number, void, undefined>>();
    expect(events).toEqual(["SELECT", "stream ended", "end"]);
  });

  test("ends its session when its loop is left", async () => {
    const { db, events } = start();
    for await (const row of db.stream(background(), "SELECT")) if (row === 2) break;
    expect(events).toEqual(["SELECT", "stream ended", "end"]);
  });

  test("ends its session when its context ends, although the loop does not ask for rows", async () => {
    const { db, events } = start();
    using ctx = withCancel(background());
    const rows = db.stream(ctx, "SELECT");
    await rows.next();
    ctx.cancel();
    await flush();
    expect(events).toEqual(["SELECT", "stream ended", "end"]);
    expect(await rejection(rows.next())).toBe(ctx.err());
    expect(events).toHaveLength(3);
  });

  test("throws what `open` throws, and ends its session once", async () => {
    const wrong = new TypeError("sql is a string");
    const { db, events } = start({ SELECT: throws(wrong) });
    expect(await rejection(read(db.stream(background(), "SELECT")))).toBe(wrong);
    expect(events).toEqual(["SELECT", "end"]);
  });

  test("throws the error of the wait for a session", async () => {
    const ended = new Error("the pool has ended");
    const db = sessionMethods({ take: (): Promise<TestSession> => Promise.reject(ended) });
    expect(await rejection(read(db.stream(background(), "SELECT")))).toBe(ended);
    expect(await rejection(db.transaction(background(), () => undefined))).toBe(ended);
    expect(await rejection(db.connection(background(), () => undefined))).toBe(ended);
  });

  test("yields its rows although the end of its session throws, and that is a warning", async () => {
    const { db } = start({ end: throws(new Error("released twice")) });
    expect(await read(db.stream(background(), "SELECT"))).toEqual([1, 2, 3]);
    await turn();
    expect(warnings).toMatchObject([adapterThrew("end", "released twice")]);
  });

  test("is a TypeError in an adapter without streams, and the session is ended", async () => {
    const session = new TestSession();
    session.open = undefined as never;
    const db = sessionMethods({ take: () => Promise.resolve(session) });
    const ctx = background();
    const message = "this adapter has no streams";
    const error = await rejection(read(db.stream(ctx, "SELECT")));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ message });
    expect(session.events).toEqual(["end"]);
    await db.transaction(ctx, async (tx) => {
      expect(await rejection(read(tx.stream(ctx, "SELECT")))).toMatchObject({ message });
    });
  });

  test("in a transaction has the connection for itself until its loop has ended or was left", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      const seen: number[] = [];
      for await (const row of tx.stream(ctx, "SELECT")) {
        seen.push(row);
        const error = await rejection(tx.query(ctx, "INSERT"));
        expect((error as Error).message).toMatch(/transaction is busy with a stream;/);
      }
      expect(seen).toEqual([1, 2, 3]);
      await tx.query(ctx, "UPDATE");
      for await (const row of tx.stream(ctx, "SELECT")) if (row === 1) break;
      await tx.query(ctx, "DELETE");
    });
    const stream = ["SELECT", "stream ended"];
    const others = ["BEGIN", ...stream, "UPDATE", ...stream, "DELETE", "COMMIT", "end"];
    expect(events).toEqual(others);
  });

  test("in a transaction that is left keeps its loop until the next statement may run", async () => {
    const { db, session, events } = start();
    const end = new Deferred();
    session.open = () => ({
      next: () => Promise.resolve([1]),
      close: () => Promise.resolve(),
      ended: end.promise,
    });
    const ctx = background();
    const work = db.transaction(ctx, async (tx) => {
      for await (const row of tx.stream(ctx, "SELECT")) if (row === 1) break;
      await tx.query(ctx, "UPDATE");
    });
    await flush();
    expect(events).toEqual(["BEGIN"]);
    end.resolve();
    await work;
    expect(events).toEqual(["BEGIN", "UPDATE", "COMMIT", "end"]);
  });

  test("in a transaction throws what `open` throws, and the transaction goes on", async () => {
    const wrong = new TypeError("sql is a string");
    const { db, events } = start({ SELECT: throws(wrong) });
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      expect(await rejection(read(tx.stream(ctx, "SELECT")))).toBe(wrong);
      await tx.query(ctx, "UPDATE");
    });
    expect(events).toEqual(["BEGIN", "SELECT", "UPDATE", "COMMIT", "end"]);
  });

  test("in a transaction throws its context's error, and the transaction goes on", async () => {
    const { db, events } = start();
    const ctx = background();
    await db.transaction(ctx, async (tx) => {
      using short = withCancel(ctx);
      const rows = tx.stream(short, "SELECT");
      await rows.next();
      short.cancel();
      expect(await rejection(rows.next())).toBe(short.err());
      await tx.query(ctx, "UPDATE");
    });
    expect(events).toEqual(["BEGIN", "SELECT", "stream ended", "UPDATE", "COMMIT", "end"]);
  });

  test("that a transaction leaves open is a TypeError, and the transaction is rolled back", async () => {
    const { db, events } = start();
    const ctx = background();
    const work = db.transaction(ctx, async (tx) => void (await tx.stream(ctx, "SELECT").next()));
    const error = await rejection(work);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/left a stream open/);
    expect(events).toEqual(["BEGIN", "SELECT", "stream ended", "ROLLBACK", "end"]);
  });
});

describe("a wrong argument", () => {
  const nothing = (): undefined => undefined;
  const wrong = (db: object, method: string, ...args: unknown[]): Promise<unknown> =>
    rejection(
      (async () => {
        const result = (db as Record<string, (...args: unknown[]) => unknown>)[method]?.(...args);
        await result;
      })(),
    );

  test("is a TypeError that says how to write the call, and no session is taken", async () => {
    const { db, taken } = start();
    for (const [method, args, message] of [
      ["transaction", [undefined, nothing], /write transaction\(ctx, async \(tx\) => \{ … \}\)/],
      ["transaction", [background()], /write transaction\(ctx, async \(tx\) => \{ … \}\)/],
      ["connection", [undefined, nothing], /write connection\(ctx, async \(db\) => \{ … \}\)/],
      ["connection", [background()], /write connection\(ctx, async \(db\) => \{ … \}\)/],
      ["stream", ["SELECT"], /write stream\(ctx, …\)/],
    ] as const) {
      const error = await wrong(db, method, ...args);
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(message);
    }
    expect(taken).toEqual([]);
  });

  test("within a transaction or a connection is a TypeError too, and nothing is run", async () => {
    const { db, events } = start();
    const check = async (api: object): Promise<void> => {
      for (const [method, args, message] of [
        ["query", ["SELECT"], /write query\(ctx, …\)/],
        ["transaction", [undefined, nothing], /write transaction\(ctx, async \(tx\) => \{ … \}\)/],
        ["transaction", [background()], /write transaction\(ctx, async \(tx\) => \{ … \}\)/],
        ["stream", ["SELECT"], /write stream\(ctx, …\)/],
      ] as const) {
        const error = await wrong(api, method, ...args);
        expect(error).toBeInstanceOf(TypeError);
        expect((error as Error).message).toMatch(message);
      }
    };
    await db.transaction(background(), check);
    await db.connection(background(), check);
    expect(events).toEqual(["BEGIN", "COMMIT", "end", "RESET", "end"]);
  });
});

describe("the stop timeout of a source", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** Runs to the stop timeout, and checks that the session is destroyed then and not earlier. */
  async function expectDestroyed(session: TestSession, work: Promise<unknown>, ms: number) {
    work.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect(session.destroyed).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(session.destroyed).toMatchObject([{ name: "TimeoutError" }]);
    await work.catch(() => undefined);
    expect(session.events.at(-1)).toBe("end");
  }

  test.each<[ms: number, stopTimeout?: number]>([[2_000], [500, 500]])(
    "limits the rollback of a transaction to %i ms",
    async (ms, stopTimeout) => {
      const { db, session } = start({ ROLLBACK: untilDone }, stopTimeout);
      const work = db.transaction(background(), throws(new Error("mine")));
      await expectDestroyed(session, work, ms);
    },
  );

  test("limits the rollback of a transaction on a connection", async () => {
    const { db, session } = start({ ROLLBACK: untilDone }, 500);
    const work = db.connection(background(), (own) =>
      own.transaction(background(), throws(new Error("mine"))),
    );
    await expectDestroyed(session, work, 500);
  });

  test("limits the reset of a connection", async () => {
    const { db, session } = start({ RESET: untilDone }, 500);
    await expectDestroyed(
      session,
      db.connection(background(), () => undefined),
      500,
    );
  });

  test("limits the rollback of a nested transaction", async () => {
    const { db, session } = start({ "ROLLBACK TO SAVEPOINT eightysix_1": untilDone }, 500);
    const ctx = background();
    const work = db.transaction(ctx, (tx) => tx.transaction(ctx, throws(new Error("mine"))));
    await expectDestroyed(session, work, 500);
  });

  test("limits a SAVEPOINT after its context has ended", async () => {
    let begins: Context | undefined;
    const { db, events } = start(
      { "SAVEPOINT eightysix_1": (ctx) => ((begins = ctx), untilDone(ctx)) },
      500,
    );
    using ctx = withTimeout(background(), 10_000);
    const work = db.transaction(ctx, (tx) => tx.transaction(ctx, () => undefined));
    work.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(10_499);
    expect(begins?.err()).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1);
    expect(await rejection(work)).toBe(ctx.err());
    expect(events).toEqual(["BEGIN", "SAVEPOINT eightysix_1", "ROLLBACK", "end"]);
  });
});

test("the types of the methods follow from the session, without a cast", () => {
  type Db = ReturnType<typeof start>["db"];
  type Tx = Parameters<Parameters<Db["transaction"]>[1]>[0];
  type Own = Parameters<Parameters<Db["connection"]>[1]>[0];
  expectTypeOf<Tx["query"]>().toEqualTypeOf<Statements["query"]>();
  expectTypeOf<Own["query"]>().toEqualTypeOf<Statements["query"]>();
  expectTypeOf<Db["transaction"]>().parameter(2).toEqualTypeOf<Options | undefined>();
  expectTypeOf<Own["transaction"]>().parameter(2).toEqualTypeOf<Options | undefined>();
  expectTypeOf<Parameters<Tx["transaction"]>["length"]>().toEqualTypeOf<2>();
  expectTypeOf<Db["stream"]>().parameters.toEqualTypeOf<[ctx: Context, sql: string]>();
  expectTypeOf<Tx["stream"]>().toEqualTypeOf<Db["stream"]>();
  expectTypeOf<Own["stream"]>().toEqualTypeOf<Db["stream"]>();
});
