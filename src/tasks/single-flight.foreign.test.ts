import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import { controlled, outcome } from "../../test/support/controlled.ts";
import { broken, Theirs } from "../../test/support/foreign-context.ts";
import { background, CanceledError, cause, SingleFlight, withCancel } from "../index.ts";

describe("SingleFlight: a foreign context", () => {
  test("works as the context of a call: it leaves, cancels the flight, and keeps no listener", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const theirs = [new Theirs(), new Theirs()];
    const calls = theirs.map((ctx) => outcome(flights.do(ctx, "a", task)));
    theirs[0]!.end();
    await flush();
    expect(calls).toEqual([{ error: theirs[0]!.error }, {}]);
    expect(runs[0]!.ctx.err()).toBeUndefined();
    theirs[1]!.end();
    expect(runs[0]!.ctx.err()).toBe(theirs[1]!.error);
    expect(cause(runs[0]!.ctx)).toBe("theirs");
    await flush();
    expect(calls[1]).toEqual({ error: theirs[1]!.error });
    runs[0]!.succeed("");
    const last = new Theirs();
    await flush();
    const call = flights.do(last, "a", task);
    runs[1]!.succeed("result");
    expect(await call).toBe("result");
    expect(last.listeners).toBe(0);
  });

  test("that ends while its call joins starts no task", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const ctx = new Theirs();
    const error = new CanceledError();
    let asked = 0;
    ctx.err = () => (++asked > 1 ? error : undefined);
    await expect(flights.do(ctx, "a", task)).rejects.toBe(error);
    expect(runs).toHaveLength(0);
    await expect(flights.do(background(), "a", () => "next")).resolves.toBe("next");
  });

  test("whose err() throws gets the result, and of a failure its own error alone", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const start = () => {
      const theirs = new Theirs();
      const calls = [theirs, background(), withCancel(background())].map((ctx) =>
        outcome(flights.do(ctx, "a", task)),
      );
      theirs.breaks = "err";
      return calls;
    };
    const calls = start();
    runs[0]!.succeed("result");
    await flush();
    expect(calls).toEqual([{ value: "result" }, { value: "result" }, { value: "result" }]);
    expect(runs[0]!.ctx.err()).toBeDefined();
    const failing = start();
    const failure = new Error("failed");
    runs[1]!.fail(failure);
    await flush();
    expect(failing).toEqual([{ error: broken }, { error: failure }, { error: failure }]);
  });
});
