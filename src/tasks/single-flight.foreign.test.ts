import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import { controlled, outcome } from "../../test/support/controlled.ts";
import { Theirs } from "../../test/support/foreign-context.ts";
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

  test("whose err() throws fails its own call alone", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    const broken = new Theirs();
    const calls = [broken, background(), withCancel(background())].map((ctx) =>
      outcome(flights.do(ctx, "a", task)),
    );
    broken.breaks = "err";
    runs[0]!.succeed("result");
    await flush();
    expect(calls.slice(1)).toEqual([{ value: "result" }, { value: "result" }]);
    expect(runs[0]!.ctx.err()).toBeDefined();
  });
});
