/** The rules of a bound connection, each on a connection that the test controls. */
import { describe, expect, test } from "vitest";
import { background, withCancel, type Context } from "../../index.ts";
import { flush, turn } from "../../../test/support.ts";
import { watchReports } from "../../../test/support/reports.ts";
import { NothingCommittedError } from "../transaction.ts";
import { BoundConnection } from "./bound-connection.ts";
import type { DriverConnection } from "./driver-connection.ts";

/** A statement that was sent and waits for its answer, which the test gives. */
interface Sent {
  readonly how: "stoppable" | "unstoppable";
  readonly text: string;
  resolve(answer: string): void;
  reject(error: unknown): void;
}

/**
 * A connection that records what is asked of it. Like a driver, it does not settle a statement
 * because its context ended: the test decides when the stop has ended.
 */
class TestConnection implements DriverConnection<string, string> {
  readonly sent: Sent[] = [];
  /** How the lease ended: "given back", "given back for <reason>" or "destroyed". Later: "again". */
  readonly ends: string[] = [];
  isInTransaction = false;
  isRunningCursor = false;
  failure: Error | undefined;

  textOf(statement: string): string {
    return statement;
  }
  run(ctx: Context, text: string): Promise<string> {
    const err = ctx.err();
    return err === undefined ? this.#send("stoppable", text) : Promise.reject(err);
  }
  runUnstoppable(_: Context, text: string): Promise<string> {
    return this.#send("unstoppable", text);
  }
  rollback(): Promise<string> {
    return this.#send("unstoppable", "rollback of the driver");
  }
  hasRolledBack(answer: string): boolean {
    return answer === "rolled back";
  }
  isTransactionOpen(): boolean {
    return this.isInTransaction;
  }
  isBusy(): boolean {
    return this.isRunningCursor;
  }
  giveBack(reason?: unknown): void {
    if (this.failure !== undefined) throw this.failure;
    this.ends.push(reason === undefined ? "given back" : `given back for ${String(reason)}`);
  }
  releaseAgain(): void {
    this.ends.push("again");
  }
  destroy(): void {
    this.ends.push("destroyed");
  }
  #send(how: Sent["how"], text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.sent.push({ how, text, resolve, reject });
    });
  }

  texts(): string[] {
    return this.sent.map(({ text }) => text);
  }
  /** Answers the statement that was sent last. */
  answer(answer = "done"): void {
    this.sent.at(-1)!.resolve(answer);
  }
}

function lease(ctx: Context | undefined) {
  const driver = new TestConnection();
  const connection = new BoundConnection(driver);
  connection.bindLeased(() => ctx);
  /** Runs a statement, and returns how it has settled by now. */
  const run = (text: string) => {
    const outcome: { value?: string; error?: unknown } = {};
    connection.run(ctx!, text).then(
      (value) => (outcome.value = value),
      (error: unknown) => (outcome.error = error),
    );
    return outcome;
  };
  return { driver, connection, run };
}

const warnings = watchReports();

describe("a statement on a bound connection", () => {
  test("can be stopped, and settles as the driver says", async () => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    const good = run("select 1");
    expect(driver.sent).toMatchObject([{ how: "stoppable", text: "select 1" }]);
    driver.answer("one");
    const bad = run("select 2");
    const error = new Error("no such table");
    driver.sent.at(-1)!.reject(error);
    await flush();
    expect(good).toEqual({ value: "one" });
    expect(bad.error).toBe(error);
  });

  test("rejects with ctx.err() only when the driver says that its stop has ended", async () => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    const slow = run("select sleep(60)");
    ctx.cancel();
    await flush();
    expect(slow).toEqual({});
    driver.sent[0]!.reject(ctx.err());
    await flush();
    expect(slow.error).toBe(ctx.err());
  });

  test.each([
    "BEGIN",
    "/* tracer; 1 */ start transaction",
    "-- why\nROLLBACK;",
    "rollback to savepoint a; -- undo",
    "ABORT",
  ])("that is %j is sent although its context is done, and is not stopped", async (text) => {
    using ctx = withCancel(background());
    ctx.cancel();
    const { driver, run } = lease(ctx);
    const outcome = run(text);
    expect(driver.sent).toMatchObject([{ how: "unstoppable", text }]);
    driver.answer();
    await flush();
    expect(outcome).toEqual({ value: "done" });
  });

  test.each(["savepoint a", "/* 1 */ RELEASE SAVEPOINT a"])(
    "that is %j is refused when its context is done, and is not stopped while it runs",
    async (text) => {
      using ctx = withCancel(background());
      const { driver, run } = lease(ctx);
      const early = run(text);
      expect(driver.sent).toMatchObject([{ how: "unstoppable", text }]);
      ctx.cancel();
      driver.answer();
      const late = run(text);
      await flush();
      expect(early).toEqual({ value: "done" });
      expect(late.error).toBe(ctx.err());
      expect(driver.sent).toHaveLength(1);
    },
  );

  test.each([
    "begin; insert into orders values (1)",
    "rollback; insert into orders values (1)",
    "-- begin\nselect 1",
    "select 1; commit",
    "/* rollback */ select 1",
  ])("that is %j can be stopped, and is refused when its context is done", async (text) => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    run(text);
    expect(driver.sent).toMatchObject([{ how: "stoppable", text }]);
    driver.answer();
    ctx.cancel();
    const late = run(text);
    await flush();
    expect(late.error).toBe(ctx.err());
    expect(driver.sent).toHaveLength(1);
  });
});

describe("a COMMIT on a bound connection", () => {
  test.each([
    "commit",
    "COMMIT;",
    "/* tracer */ COMMIT AND CHAIN",
    "-- 1\nend",
    "commit; select 1",
  ])(
    "that is %j becomes a ROLLBACK if its context is done, and rejects with ctx.err() after it",
    async (text) => {
      using ctx = withCancel(background());
      ctx.cancel();
      const { driver, run } = lease(ctx);
      const commit = run(text);
      expect(driver.sent).toMatchObject([{ how: "unstoppable", text: "rollback of the driver" }]);
      await flush();
      expect(commit).toEqual({});
      driver.answer();
      await flush();
      expect(commit.error).toBe(ctx.err());
    },
  );

  test("that was sent is not stopped, and its answer is its result", async () => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    const commit = run("commit");
    ctx.cancel();
    await flush();
    expect(driver.sent).toMatchObject([{ how: "unstoppable", text: "commit" }]);
    driver.answer("committed");
    await flush();
    expect(commit).toEqual({ value: "committed" });
  });

  test("that the server answers with a rollback rejects, because nothing was committed", async () => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    const live = run("commit");
    driver.answer("rolled back");
    await flush();
    expect(live.error).toBeInstanceOf(NothingCommittedError);
    const stopped = run("commit");
    ctx.cancel();
    driver.answer("rolled back");
    await flush();
    expect(stopped.error).toBe(ctx.err());
  });

  test("waits for the statements before it, and becomes a ROLLBACK if the context has ended by then", async () => {
    using ctx = withCancel(background());
    const { driver, run } = lease(ctx);
    run("insert 1");
    run("insert 2");
    const commit = run("commit");
    await flush();
    expect(driver.texts()).toEqual(["insert 1", "insert 2"]);
    ctx.cancel();
    driver.sent[0]!.resolve("done");
    await flush();
    expect(driver.texts()).toEqual(["insert 1", "insert 2"]);
    driver.sent[1]!.reject(ctx.err());
    await flush();
    expect(driver.texts()).toEqual(["insert 1", "insert 2", "rollback of the driver"]);
    driver.answer();
    await flush();
    expect(commit.error).toBe(ctx.err());
  });

  test("that waits is sent before the statements after it", async () => {
    const { driver, run } = lease(background());
    run("insert 1");
    run("commit");
    run("begin");
    run("insert 2");
    run("end");
    run("select 1");
    expect(driver.texts()).toEqual(["insert 1"]);
    driver.answer();
    await flush();
    expect(driver.texts()).toEqual(["insert 1", "commit", "begin", "insert 2"]);
    for (const sent of driver.sent) sent.resolve("done");
    await flush();
    expect(driver.texts().slice(4)).toEqual(["end", "select 1"]);
    for (const sent of driver.sent) sent.resolve("done");
    await flush();
    run("select 2");
    expect(driver.texts().at(-1)).toBe("select 2");
  });
});

test("a second COMMIT that waits is not overtaken by a statement that comes after the first was sent", async () => {
  const { driver, run } = lease(background());
  run("insert 1");
  run("commit");
  run("commit and chain");
  driver.answer();
  await flush();
  run("select 1");
  expect(driver.texts()).toEqual(["insert 1", "commit"]);
  driver.answer();
  await flush();
  expect(driver.texts()).toEqual(["insert 1", "commit", "commit and chain", "select 1"]);
});

describe("the release of a bound connection", () => {
  /** Leases, and lets a statement be stopped. */
  async function afterStop() {
    const ctx = withCancel(background());
    const leased = lease(ctx);
    leased.run("select sleep(60)");
    ctx.cancel();
    leased.driver.sent[0]!.reject(ctx.err());
    await flush();
    return { ...leased, ctx };
  }

  test("gives it back if no statement was stopped, whatever the caller left open", async () => {
    const { driver, connection, run } = lease(background());
    run("begin");
    driver.answer();
    driver.isInTransaction = true;
    await flush();
    connection.release();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("gives it back after an error that no context caused, whatever the caller left open", async () => {
    const { driver, connection, run } = lease(background());
    run("select 1/0");
    driver.sent[0]!.reject(new Error("division by zero"));
    driver.isInTransaction = true;
    await flush();
    connection.release();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("can follow a statement at once, in the caller's first reaction", async () => {
    const { driver, connection } = lease(background());
    const released = connection.run(background(), "select 1").then(() => connection.release());
    driver.answer();
    await released;
    expect(driver.ends).toEqual(["given back"]);
    connection.bindLeased(() => background());
    const failed = connection.run(background(), "select 1").catch(() => connection.release());
    driver.sent.at(-1)!.reject(new Error("no"));
    await failed;
    expect(driver.ends).toEqual(["given back", "given back"]);
  });

  test("gives it back after a statement was stopped outside of any transaction", async () => {
    const { driver, connection } = await afterStop();
    driver.isRunningCursor = true; // counts only if the driver has recorded something
    connection.release();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("destroys it after a statement was stopped inside a transaction that is still open", async () => {
    const { driver, connection } = await afterStop();
    driver.isInTransaction = true;
    connection.release();
    expect(driver.ends).toEqual(["destroyed"]);
  });

  test("destroys it after a statement under another context was stopped inside an open transaction", async () => {
    const { driver, connection } = lease(background());
    using part = withCancel(background());
    part.cancel();
    await connection.run(part, "select 1").catch(() => undefined);
    driver.isInTransaction = true;
    connection.release();
    expect(driver.ends).toEqual(["destroyed"]);
  });

  test("destroys it inside an open transaction if its context is done, although no statement was stopped", () => {
    using ctx = withCancel(background());
    const { driver, connection } = lease(ctx);
    driver.isInTransaction = true;
    ctx.cancel();
    connection.release();
    expect(driver.ends).toEqual(["destroyed"]);
  });

  test("destroys it while a statement is being stopped, because the stop may hit the next lease", async () => {
    using ctx = withCancel(background());
    const { driver, connection, run } = lease(ctx);
    const slow = run("select sleep(60)");
    ctx.cancel();
    connection.release();
    expect(driver.ends).toEqual(["destroyed"]);
    driver.sent[0]!.reject(ctx.err());
    await flush();
    expect(slow.error).toBe(ctx.err());
    expect(driver.ends).toEqual(["destroyed"]);
  });

  test("destroys it at most once", async () => {
    using ctx = withCancel(background());
    const { driver, connection, run } = lease(ctx);
    run("select sleep(60)");
    ctx.cancel();
    connection.release();
    connection.release();
    driver.sent[0]!.reject(ctx.err());
    await flush();
    connection.release(true);
    expect(driver.ends).toEqual(["destroyed", "again", "again"]);
  });

  test("waits for all statements that are running while no context has ended", async () => {
    const { driver, connection, run } = lease(background());
    run("select 1");
    connection.release();
    run("select 2"); // a driver takes statements after its release too
    await flush();
    expect(driver.ends).toEqual([]);
    driver.sent[0]!.resolve("done");
    await flush();
    expect(driver.ends).toEqual([]);
    driver.sent[1]!.reject(new Error("no such table"));
    await flush();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("waits for a COMMIT that is waiting itself", async () => {
    const { driver, connection, run } = lease(background());
    run("insert 1");
    run("commit");
    connection.release();
    driver.answer();
    await flush();
    expect(driver.texts()).toEqual(["insert 1", "commit"]);
    expect(driver.ends).toEqual([]);
    driver.answer();
    await flush();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("that waits destroys it if the statement is stopped and leaves a transaction open", async () => {
    using ctx = withCancel(background());
    const { driver, connection, run } = lease(ctx);
    run("select sleep(60)");
    connection.release();
    driver.isInTransaction = true;
    ctx.cancel();
    await flush();
    expect(driver.ends).toEqual([]);
    driver.sent[0]!.reject(ctx.err());
    await flush();
    expect(driver.ends).toEqual(["destroyed"]);
  });

  test("that waits does nothing when it is called again", async () => {
    const { driver, connection, run } = lease(background());
    run("select 1");
    connection.release();
    connection.release();
    connection.release(true);
    driver.answer();
    await flush();
    expect(driver.ends).toEqual(["given back"]);
  });

  test("reports what the driver throws: to the caller, and after a wait as a process warning", async () => {
    const { driver, connection, run } = lease(background());
    driver.failure = new Error("released already");
    expect(() => connection.release()).toThrow(driver.failure);
    connection.bindLeased(() => background());
    run("select 1");
    connection.release();
    driver.answer();
    await turn();
    expect(warnings.map((warning) => warning.message)).toEqual([
      expect.stringContaining("released already"),
    ]);
  });

  test("passes on why the connection must be closed, unless the reason is that a context ended", async () => {
    const { driver, connection, ctx } = await afterStop();
    connection.release(ctx.err());
    connection.bindLeased(() => ctx);
    connection.release("broken");
    expect(driver.ends).toEqual(["given back", "given back for broken"]);
  });

  test("destroys it if it must be closed while a statement is running", () => {
    const { driver, connection, run } = lease(background());
    run("select 1");
    connection.release(true);
    expect(driver.ends).toEqual(["destroyed"]);
    driver.answer();
  });

  test("destroys it while something that the driver sent by itself is running or has left a transaction open", () => {
    const { driver, connection } = lease(background());
    driver.isRunningCursor = true;
    connection.release();
    expect(driver.ends).toEqual(["given back"]); // nothing was recorded
    connection.bindLeased(() => background());
    connection.recordUntracked();
    connection.release();
    connection.bindLeased(() => background());
    connection.recordUntracked();
    driver.isRunningCursor = false;
    driver.isInTransaction = true;
    connection.release();
    expect(driver.ends).toEqual(["given back", "destroyed", "destroyed"]);
  });

  test("judges each lease by itself", async () => {
    const { driver, connection } = await afterStop();
    connection.release();
    connection.bindLeased(() => background());
    driver.isInTransaction = true;
    connection.release();
    connection.bindLeased(() => background());
    connection.recordUntracked();
    driver.isInTransaction = false;
    connection.release();
    connection.bindLeased(() => background());
    driver.isInTransaction = true;
    connection.release();
    expect(driver.ends).toEqual(Array.from({ length: 4 }, () => "given back"));
  });

  test("that waits does not end a later lease, if the pool has granted the connection again meanwhile", async () => {
    const { driver, connection, run } = lease(background());
    run("select 1");
    connection.release();
    connection.bindLeased(() => background());
    driver.answer();
    await flush();
    expect(driver.ends).toEqual([]);
  });

  test("that comes after the end of the lease gives nothing back and destroys nothing", async () => {
    const { driver, connection, run } = lease(background());
    connection.release();
    connection.release();
    connection.release("broken");
    expect(driver.ends).toEqual(["given back", "again", "again"]);
    run("select 1"); // a driver takes statements after its release too
    connection.release();
    connection.release(true);
    driver.answer();
    await flush();
    expect(driver.ends.slice(3)).toEqual(["again", "again"]);
  });

  test("ends a later lease of the connection as it ended the first", () => {
    const { driver, connection } = lease(background());
    connection.release();
    connection.release();
    connection.bindLeased(() => background());
    connection.release();
    expect(driver.ends).toEqual(["given back", "again", "given back"]);
  });
});

describe("a bound connection that belongs to the caller", () => {
  test("is given back as the caller left it, because the caller manages its transactions", async () => {
    using ctx = withCancel(background());
    const driver = new TestConnection();
    const connection = new BoundConnection(driver);
    connection.bindOwned(() => ctx);
    const slow = connection.run(ctx, "select sleep(60)");
    driver.isInTransaction = true;
    ctx.cancel();
    connection.release();
    await flush();
    expect(driver.ends).toEqual([]); // a stop is under way
    driver.sent[0]!.reject(ctx.err());
    await expect(slow).rejects.toBe(ctx.err());
    expect(driver.ends).toEqual(["given back"]);
  });

  test("runs each statement under the context that the driver was told", () => {
    const ctx = background();
    const connection = new BoundConnection(new TestConnection());
    expect(connection.currentContext()).toBeUndefined();
    connection.bindOwned(() => ctx);
    expect(connection.currentContext()).toBe(ctx);
  });
});
