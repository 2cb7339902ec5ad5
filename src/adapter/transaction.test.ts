/** The order of the steps of a transaction, and what happens when a step fails. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { background, withCancel, type Context } from "../index.ts";
import { adapterThrew, Deferred, rejection, watchReports } from "../../test/support/reports.ts";
import { flush, turn } from "../../test/support.ts";
import { STREAM, type ConnectionScope } from "./connection-scope.ts";
import {
  NothingCommittedError,
  runTransaction,
  savepoint,
  type TransactionSteps,
} from "./transaction.ts";

const warnings = watchReports();

/** Steps that succeed unless the test overrides them. `events` lists what was called, in order. */
class TestSteps implements TransactionSteps {
  readonly events: string[] = [];
  readonly contexts: Partial<Record<keyof TransactionSteps, Context>> = {};
  reason: unknown;
  readonly #overrides: Partial<TransactionSteps>;

  constructor(overrides: Partial<TransactionSteps> = {}) {
    this.#overrides = overrides;
  }
  begin = (ctx: Context) => this.#step("begin", ctx);
  commit = (ctx: Context) => this.#step("commit", ctx);
  rollback = (ctx: Context) => this.#step("rollback", ctx);
  destroy(reason: unknown): void {
    this.events.push("destroy");
    this.reason = reason;
    this.#overrides.destroy?.(reason);
  }

  async #step(name: "begin" | "commit" | "rollback", ctx: Context): Promise<void> {
    this.events.push(name);
    this.contexts[name] = ctx;
    await this.#overrides[name]?.(ctx);
  }
}

/** Rejects when the context ends, as an operation under it does. */
const untilDone = (ctx: Context): Promise<never> =>
  new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.err()!)));

describe("a transaction", () => {
  test("begins, runs its function, commits, and resolves with the function's result", async () => {
    const ctx = withCancel(background());
    const steps = new TestSteps();
    const result = await runTransaction(ctx, steps, () => {
      steps.events.push("fn");
      return "result";
    });
    expect(result).toBe("result");
    expect(steps.events).toEqual(["begin", "fn", "commit"]);
    expect(steps.contexts).toEqual({ begin: ctx, commit: ctx });
  });

  test("does not begin if its context is done", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    const steps = new TestSteps();
    expect(await rejection(runTransaction(ctx, steps, () => "result"))).toBe(ctx.err());
    expect(steps.events).toEqual([]);
  });

  test.each<[what: string, events: string[]]>([
    ["begin", ["begin", "rollback"]],
    ["fn", ["begin", "fn", "rollback"]],
    ["commit", ["begin", "fn", "commit", "rollback"]],
  ])("whose %s fails rolls back, and rejects with that error", async (what, events) => {
    const error = what === "commit" ? new NothingCommittedError() : new Error("own");
    const steps = new TestSteps({ [what]: () => Promise.reject(error) });
    const running = runTransaction(background(), steps, () => {
      steps.events.push("fn");
      if (what === "fn") throw error;
    });
    expect(await rejection(running)).toBe(error);
    expect(steps.events).toEqual(events);
  });

  test("rolls back under a context that is live, although its own context is done", async () => {
    const ctx = withCancel(background());
    let atRollback: unknown = "no rollback";
    const steps = new TestSteps({
      rollback: (ctx) => {
        atRollback = ctx.err();
        return Promise.resolve();
      },
    });
    const running = runTransaction(ctx, steps, () => {
      ctx.cancel();
      throw ctx.err()!;
    });
    expect(await rejection(running)).toBe(ctx.err());
    expect(atRollback).toBeUndefined();
    expect(steps.events).toEqual(["begin", "rollback"]);
  });

  test("waits, before the commit, for the operations that its function has not awaited", async () => {
    const steps = new TestSteps();
    const step = new Deferred();
    const running = runTransaction(background(), steps, (scope) => {
      void scope.run(background(), () => step.promise);
    });
    await flush();
    expect(steps.events).toEqual(["begin"]);
    step.resolve();
    await running;
    expect(steps.events).toEqual(["begin", "commit"]);
  });

  test("stops, before the rollback, the operations that its function has not awaited", async () => {
    const steps = new TestSteps();
    const mine = new Error("mine");
    const running = runTransaction(background(), steps, (scope) => {
      void scope
        .run(background(), async (ctx) => {
          await untilDone(ctx).catch(flush);
          steps.events.push(`stopped by ${String(ctx.err()?.cause)}`);
        })
        .catch(() => undefined);
      throw mine;
    });
    expect(await rejection(running)).toBe(mine);
    expect(steps.events).toEqual(["begin", "stopped by Error: mine", "rollback"]);
  });

  test("refuses operations after its function has returned", async () => {
    let scope!: ConnectionScope;
    await runTransaction(background(), new TestSteps(), (own) => void (scope = own));
    const late = scope.run(background(), () => Promise.resolve());
    expect(await rejection(late)).toMatchObject({
      name: "TypeError",
      message: expect.stringMatching(/^the transaction has ended/) as string,
    });
  });

  test("whose function leaves a stream open stops the stream, rolls back, and rejects with a TypeError", async () => {
    const steps = new TestSteps();
    const running = runTransaction(background(), steps, (scope) => {
      scope.run(background(), untilDone, STREAM).catch(() => steps.events.push("stopped"));
    });
    const error = await rejection(running);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(
      /this transaction has returned and left a stream open/,
    );
    expect(steps.events).toEqual(["begin", "stopped", "rollback"]);
  });

  test("whose rollback fails destroys its connection with that reason, and rejects with the first error", async () => {
    const mine = new Error("mine");
    const reason = new Error("the connection was reset");
    const steps = new TestSteps({ rollback: () => Promise.reject(reason) });
    const running = runTransaction(background(), steps, () => Promise.reject(mine));
    expect(await rejection(running)).toBe(mine);
    expect(steps.events).toEqual(["begin", "rollback", "destroy"]);
    expect(steps.reason).toBe(reason);
  });

  test("rejects with the first error even if the destruction throws", async () => {
    const mine = new Error("mine");
    const steps = new TestSteps({
      rollback: () => Promise.reject(new Error("refused")),
      destroy: () => {
        throw new Error("already closed");
      },
    });
    const running = runTransaction(background(), steps, () => Promise.reject(mine));
    expect(await rejection(running)).toBe(mine);
    await turn();
    expect(warnings).toMatchObject([adapterThrew("destroy", "already closed")]);
  });
});

describe("the SQL of a savepoint", () => {
  /** A savepoint, and the statements that it has executed. `fail` makes a statement reject. */
  function start(depth: number, fail?: string) {
    const statements: string[] = [];
    const destroyed: unknown[] = [];
    const execute = (_: Context, sql: string): Promise<void> => {
      statements.push(sql);
      return sql === fail ? Promise.reject(new Error(sql)) : Promise.resolve();
    };
    const steps = savepoint(depth, execute, (reason) => destroyed.push(reason));
    return { statements, destroyed, steps };
  }

  test("is released when the nested transaction commits", async () => {
    const { statements, steps } = start(1);
    await runTransaction(background(), steps, () => undefined);
    expect(statements).toEqual(["SAVEPOINT eightysix_1", "RELEASE SAVEPOINT eightysix_1"]);
  });

  test("is rolled back to and released when the nested transaction fails", async () => {
    const { statements, steps, destroyed } = start(3);
    await rejection(runTransaction(background(), steps, () => Promise.reject(new Error("mine"))));
    expect(statements).toEqual([
      "SAVEPOINT eightysix_3",
      "ROLLBACK TO SAVEPOINT eightysix_3",
      "RELEASE SAVEPOINT eightysix_3",
    ]);
    expect(destroyed).toEqual([]);
  });

  test("is not rolled back to if it does not exist, because that would abort the transaction around it", async () => {
    const { statements, steps, destroyed } = start(1, "SAVEPOINT eightysix_1");
    const error = await rejection(runTransaction(background(), steps, () => undefined));
    expect((error as Error).message).toBe("SAVEPOINT eightysix_1");
    expect(statements).toEqual(["SAVEPOINT eightysix_1"]);
    expect(destroyed).toEqual([]);
  });

  test.each(["ROLLBACK TO SAVEPOINT eightysix_1", "RELEASE SAVEPOINT eightysix_1"])(
    "destroys the connection if the rollback fails in %s",
    async (fail) => {
      const { steps, destroyed } = start(1, fail);
      const mine = new Error("mine");
      const running = runTransaction(background(), steps, () => Promise.reject(mine));
      expect(await rejection(running)).toBe(mine);
      expect(destroyed).toMatchObject([{ message: fail }]);
    },
  );
});

describe("the stop timeout of a transaction", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each<[ms: number, stopTimeout?: number]>([[2_000], [500, 500]])(
    "limits its rollback to %i ms, and then the connection is destroyed",
    async (ms, stopTimeout) => {
      const steps = new TestSteps({ rollback: untilDone });
      const mine = new Error("mine");
      const fn = (): never => {
        throw mine;
      };
      const running = runTransaction(background(), steps, fn, stopTimeout);
      running.catch(() => undefined);
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(steps.events).toEqual(["begin", "rollback"]);
      await vi.advanceTimersByTimeAsync(1);
      expect(steps.events).toEqual(["begin", "rollback", "destroy"]);
      expect(steps.reason).toMatchObject({ name: "TimeoutError" });
      expect(await rejection(running)).toBe(mine);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  test("lets SAVEPOINT go on when the context ends, and the savepoint is then rolled back to", async () => {
    const ctx = withCancel(background());
    const answer = new Deferred();
    const statements: string[] = [];
    let begins!: Context;
    const execute = (stepCtx: Context, sql: string): Promise<void> => {
      statements.push(sql);
      if (!sql.startsWith("SAVEPOINT")) return Promise.resolve();
      begins = stepCtx;
      return answer.promise;
    };
    const steps = savepoint(1, execute, () => undefined, 1_000);
    const running = runTransaction(ctx, steps, () => {
      throw ctx.err()!;
    });
    running.catch(() => undefined);
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(999);
    expect(begins.err()).toBeUndefined();
    answer.resolve();
    expect(await rejection(running)).toBe(ctx.err());
    expect(statements.slice(1)).toEqual([
      "ROLLBACK TO SAVEPOINT eightysix_1",
      "RELEASE SAVEPOINT eightysix_1",
    ]);
  });

  test("ends a SAVEPOINT that is not answered after the context has ended", async () => {
    const ctx = withCancel(background());
    const statements: string[] = [];
    const execute = (stepCtx: Context, sql: string): Promise<never> => {
      statements.push(sql);
      return untilDone(stepCtx);
    };
    let began = false;
    const steps = savepoint(1, execute, () => undefined, 1_000);
    const running = runTransaction(ctx, steps, () => void (began = true));
    running.catch(() => undefined);
    await vi.advanceTimersByTimeAsync(60_000); // waits behind a slow statement
    ctx.cancel();
    await vi.advanceTimersByTimeAsync(999);
    expect(statements).toEqual(["SAVEPOINT eightysix_1"]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await rejection(running)).toBe(ctx.err());
    expect(statements).toEqual(["SAVEPOINT eightysix_1"]);
    expect(began).toBe(false);
  });
});
