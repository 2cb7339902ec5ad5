/** A statement whose connection and server the test controls. */
import { expect, test } from "vitest";
import { Deferred } from "../../../test/support/reports.ts";
import { turn } from "../../../test/support.ts";
import { background, withCancel, withTimeout } from "../../index.ts";
import type { StopProof } from "../operation.ts";
import { runStoppable } from "../stoppable.ts";
import type { MysqlConnection } from "./driver.ts";
import { RunningStatement, type StatementSession } from "./running-statement.ts";
import { TransactionState } from "./transaction-state.ts";

function running(sql: string, ctx = withCancel(background())) {
  const answer = new Deferred<unknown>();
  const sent: string[] = [];
  const kill = new Deferred<StopProof>();
  const idle = new Deferred<boolean>();
  const connection = {
    execute(text: string) {
      sent.push(text);
      return Promise.resolve();
    },
    isInTransaction: () => false,
    hasRows: Array.isArray,
    isBusy: () => false,
  } as Partial<MysqlConnection> as MysqlConnection;
  const session: StatementSession = {
    connection,
    transaction: new TransactionState(),
    kill() {
      sent.push("KILL");
      return kill.promise;
    },
    isIdle: () => idle.promise,
    discardKillConnection: () => undefined,
    destroy: () => void sent.push("destroy"),
  };
  const statement = new RunningStatement(session, {
    ...{ kind: "test.query", what: sql },
    call: () => answer.promise,
  });
  const outcome = runStoppable(ctx, statement).catch((error: unknown) => error);
  return { ctx, answer, sent, kill, idle, outcome };
}

const failure = (errno: number, sqlState: string, more?: object): Error =>
  Object.assign(new Error("from the server"), { errno, sqlState, ...more });

test.each([
  ["1317, the usual answer to a KILL", failure(1317, "70100")],
  ["1939 of a sequence table that was being opened", failure(1939, "HY000")],
  ["188 of a full-text search", failure(188, "HY000")],
  ["1329 of a procedure whose handler did not run", failure(1329, "02000")],
])("a statement that fails after its KILL is canceled: %s", async (_, error) => {
  const { ctx, answer, sent, kill, outcome } = running("select 1");
  ctx.cancel();
  await turn();
  answer.reject(error);
  kill.resolve("proven");
  expect(await outcome).toBe(ctx.err());
  expect(sent).toEqual(["KILL", "DO 0"]);
});

test.each([
  ["a duplicate key", failure(1062, "23000")],
  ["a deadlock", failure(1213, "40001")],
  ["a table that does not exist", failure(1146, "42S02")],
  ["a parameter that the driver mariadb refuses", failure(45_016, "HY000")],
  ["a connection that broke", failure(4031, "HY000", { fatal: true })],
  ["something without a SQLSTATE", new Error("from the driver")],
])("a statement that fails after its KILL keeps an error of its own: %s", async (_, error) => {
  const { ctx, answer, kill, outcome } = running("select 1");
  ctx.cancel();
  await turn();
  answer.reject(error);
  kill.resolve("proven");
  expect(await outcome).toBe(error);
});

test("a general error of a statement that was not killed is its outcome, even if its context is done", async () => {
  const { ctx, answer, sent, outcome } = running("select 1", withTimeout(background(), 100));
  const error = failure(1939, "HY000");
  const until = performance.now() + 150;
  while (performance.now() < until); // no timer can run
  answer.reject(error);
  expect(await outcome).toBe(error);
  expect(ctx.err()).toBeDefined();
  expect(sent).toEqual([]);
});

test("rows that arrive after the KILL are dropped, and rows before it are returned", async () => {
  const late = running("select 1");
  late.ctx.cancel();
  await turn();
  late.answer.resolve([1]);
  late.kill.resolve("proven");
  expect(await late.outcome).toBe(late.ctx.err());
  const early = running("select 1");
  early.answer.resolve([1]);
  await turn();
  early.ctx.cancel();
  expect(await early.outcome).toEqual([1]);
});

test("no second KILL is sent if the answer arrives while the server is asked whether it is idle", async () => {
  const { ctx, answer, sent, kill, idle, outcome } = running("do 0; do 1");
  ctx.cancel();
  kill.resolve("proven");
  await new Promise((resolve) => setTimeout(resolve, 80)); // the second stop begins after 50 ms
  answer.resolve(undefined);
  await turn();
  idle.resolve(false);
  await outcome;
  expect(sent).toEqual(["KILL", "DO 0"]);
});

test("a statement that runs on after its KILL is killed again, and not given up", async () => {
  const { ctx, answer, sent, kill, idle, outcome } = running("do 0; do 1");
  idle.resolve(false);
  kill.resolve("proven");
  ctx.cancel();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(sent.filter((text) => text === "KILL").length).toBeGreaterThan(2);
  expect(sent).not.toContain("destroy");
  answer.reject(failure(1317, "70100"));
  expect(await outcome).toBe(ctx.err());
});
