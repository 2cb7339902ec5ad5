/** A statement whose connection and server the test controls. */
import { expect, test } from "vitest";
import { Deferred } from "../../../test/support/reports.ts";
import { turn } from "../../../test/support.ts";
import { background, withCancel, withTimeout } from "../../index.ts";
import type { StopProof } from "../operation.ts";
import { runStoppable } from "../stoppable.ts";
import type { MysqlConnection } from "./driver.ts";
import { holdsAfterKill } from "./killed.ts";
import { RunningStatement, type StatementSession } from "./running-statement.ts";
import { TransactionState } from "./transaction-state.ts";

interface Circumstances {
  isBatch?: boolean;
  /** Whether the driver still works for the call, and answers nothing more, as after its own timeout. */
  isBusy?: boolean;
}

function running(
  sql: string,
  ctx = withCancel(background()),
  { isBatch = false, isBusy = false }: Circumstances = {},
) {
  const answer = new Deferred<unknown>();
  const sent: string[] = [];
  const kill = new Deferred<StopProof>();
  const idle = new Deferred<boolean>();
  const connection = {
    execute(text: string) {
      sent.push(text);
      return isBusy ? new Promise(() => undefined) : Promise.resolve();
    },
    isInTransaction: () => false,
    hasRows: Array.isArray,
    isBusy: () => isBusy,
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
    stopTimeout: 200,
    destroy: () => void sent.push("destroy"),
  };
  const statement = new RunningStatement(session, {
    ...{ kind: "test.query", what: sql },
    call: () => answer.promise,
    isBatch,
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

test("rows that arrive after a KILL are dropped, and returned if no KILL could be sent", async () => {
  for (const proof of ["proven", "unsent"] as const) {
    const { ctx, kill, answer, outcome } = running("select 1");
    ctx.cancel();
    await turn();
    kill.resolve(proof);
    answer.resolve([1]);
    expect(await outcome).toEqual(proof === "proven" ? ctx.err() : [1]);
  }
});

test("a batch is killed again and again, and no more often than other statements if no KILL can be sent", async () => {
  const kills = async (proof: StopProof): Promise<number> => {
    const { ctx, kill, answer, sent, outcome } = running("do 0", withCancel(background()), {
      isBatch: true,
    });
    ctx.cancel();
    kill.resolve(proof);
    await new Promise((resolve) => setTimeout(resolve, 120));
    answer.resolve(undefined);
    await outcome;
    return sent.filter((text) => text === "KILL").length;
  };
  expect(await kills("proven")).toBeGreaterThan(4);
  expect(await kills("unsent")).toBeLessThan(4); // at once, after 50 ms and after 150 ms
});

test.each<[string, (kill: Deferred<StopProof>) => void]>([
  ["cannot be sent", (kill) => kill.resolve("unsent")],
  ["is never answered", () => undefined],
  ["fails", (kill) => kill.reject(new Error("no such thread"))],
])(
  "a statement that its driver has given up is abandoned after the stop timeout if its KILL %s",
  async (_, settle) => {
    const ctx = withCancel(background());
    const { answer, kill, sent, outcome } = running("select 1", ctx, { isBusy: true });
    const error = Object.assign(new Error("timeout"), { code: "PROTOCOL_SEQUENCE_TIMEOUT" });
    settle(kill);
    answer.reject(error);
    expect(await outcome).toBe(error);
    expect(sent).toContain("destroy");
    const before = sent.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(sent).toHaveLength(before); // nothing is killed any more
  },
);

test.each([
  ["insert into t values (1) returning n", true],
  ["/* why */ delete from t returning *", true],
  ["select json_value(doc, '$.a' returning signed) from t", false],
  ["select 'returning'", false],
])("rows of a killed statement hold only if they are what it has written: %s", (sql, holds) => {
  expect(holdsAfterKill(sql, true)).toBe(holds);
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
