/** A transaction that a single statement has left open, with connections that the tests control. */
import { afterEach, describe, expect, test } from "vitest";
import { background, developmentMode, sleep, withCancel, type Context } from "../index.ts";
import { turn } from "../../test/support.ts";
import { adapterThrew, watchReports } from "../../test/support/reports.ts";
import { rollBackLeftover } from "./leftover-transaction.ts";

const warnings = watchReports();
afterEach(() => developmentMode(false));

function leftover(rollback: (ctx: Context) => Promise<unknown> = () => Promise.resolve()) {
  const destroyed: unknown[] = [];
  const what = `begin /* ${Math.random()} */`;
  return { what, rollback, destroyed, destroy: (reason: unknown) => void destroyed.push(reason) };
}

describe("a transaction that a single statement has left open", () => {
  test("is rolled back under a live context, although the caller's has ended", async () => {
    const ctx = withCancel(background());
    ctx.cancel();
    let err: unknown = "not called";
    const open = leftover((live) => Promise.resolve((err = live.err())));
    await rollBackLeftover(ctx, open);
    expect(err).toBeUndefined();
    expect(open.destroyed).toEqual([]);
  });

  test("costs its connection if the rollback fails, or takes longer than the stop timeout", async () => {
    const refused = new Error("refused");
    const failing = leftover(() => Promise.reject(refused));
    await rollBackLeftover(background(), failing);
    expect(failing.destroyed).toEqual([refused]);
    const slow = leftover((live) => sleep(live, 60_000));
    await rollBackLeftover(background(), slow, 5);
    expect(slow.destroyed).toMatchObject([{ name: "TimeoutError" }]);
  });

  test("reports a destroy that throws, and does not reject", async () => {
    const destroy = (): void => {
      throw new Error("mistake");
    };
    const open = { ...leftover(() => Promise.reject(new Error("refused"))), destroy };
    await rollBackLeftover(background(), open);
    await turn();
    expect(warnings).toMatchObject([adapterThrew("destroy", "mistake")]);
  });

  test("causes one process warning for each statement, in development mode only", async () => {
    const open = leftover();
    await rollBackLeftover(background(), open);
    await turn();
    expect(warnings).toEqual([]);
    developmentMode(true);
    await rollBackLeftover(background(), open);
    await rollBackLeftover(background(), open);
    await turn();
    expect(warnings).toMatchObject([
      {
        name: "EightysixWarning",
        code: "EIGHTYSIX_TRANSACTION_LEFT_OPEN",
        message: expect.stringMatching(/^a single statement left a transaction open/) as string,
        detail: open.what,
      },
    ]);
  });
});
