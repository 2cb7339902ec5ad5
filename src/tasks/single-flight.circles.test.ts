import { describe, expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import { controlled, outcome } from "../../test/support/controlled.ts";
import {
  background,
  detach,
  shield,
  SingleFlight,
  sleep,
  withCancel,
  withLedger,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../index.ts";

describe("a flight that would wait for itself", () => {
  test.each<[string, (ctx: Context) => Context]>([
    ["its own context", (ctx) => ctx],
    ["a context far below", (ctx) => withLedger(withTimeout(withCancel(ctx), 1_000))],
  ])("is refused with a TypeError (%s)", async (_where, derive) => {
    const flights = new SingleFlight<string, string>();
    const task = (ctx: Context): Promise<string> => flights.do(derive(ctx), "a", () => "inner");
    await expect(flights.do(background(), "a", task)).rejects.toThrow(
      new TypeError(
        'SingleFlight.do would wait for itself: the flight of "a" was asked for by its own task, or by a task that it waits for; call the function directly, or use another key',
      ),
    );
    await expect(flights.do(background(), "a", () => "next")).resolves.toBe("next");
  });

  test("is refused if other flights are in between, also those of another SingleFlight", async () => {
    const one = new SingleFlight<string, string>();
    const two = new SingleFlight<object, string>();
    const object = {};
    const again = (ctx: Context): Promise<string> => one.do(ctx, "a", () => "inner");
    const b = (ctx: Context): Promise<string> => one.do(ctx, "b", again);
    await expect(one.do(background(), "a", (ctx) => two.do(ctx, object, b))).rejects.toBeInstanceOf(
      TypeError,
    );
  });

  test("is refused if two flights that run already ask for each other", async () => {
    const flights = new SingleFlight<string, string>();
    const ask = (other: string) => async (ctx: Context) => {
      await flush();
      return flights.do(ctx, other, () => "inner");
    };
    const calls = [
      flights.do(background(), "a", ask("b")),
      flights.do(background(), "b", ask("a")),
    ];
    for (const call of calls) await expect(call).rejects.toBeInstanceOf(TypeError);
  });

  test("is refused if it has been canceled and its cleanup asks for it", async () => {
    const flights = new SingleFlight<string, string>();
    const ctx = withCancel(background());
    let error: unknown;
    const task = async (ctx: Context): Promise<string> => {
      await sleep(ctx, 1e6).catch(() => undefined);
      error = await shield(ctx, 1_000, (ctx) => flights.do(ctx, "a", () => "inner")).catch(
        (err: unknown) => err,
      );
      return "";
    };
    void flights.do(ctx, "a", task).catch(() => undefined);
    ctx.cancel();
    await flush();
    expect(error).toBeInstanceOf(TypeError);
  });

  test("may wait for a flight that no longer waits for it", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    let own: CancelableContext | undefined;
    const outer = outcome(
      flights.do(background(), "outer", async (ctx) => {
        own = withCancel(ctx);
        await flights.do(own, "inner", task).catch(() => undefined);
        return task(ctx);
      }),
    );
    void flights.do(background(), "inner", task);
    own!.cancel();
    await flush();
    const asked = outcome(flights.do(runs[0]!.ctx, "outer", task));
    runs[1]!.succeed("outer");
    await flush();
    expect([outer, asked]).toEqual([{ value: "outer" }, { value: "outer" }]);
  });

  test("may start itself again when it has ended, in work that it detached", async () => {
    const flights = new SingleFlight<string, string>();
    const { runs, task } = controlled();
    let later: Promise<string> | undefined;
    await flights.do(background(), "a", (ctx) => {
      detach(ctx, 1_000, async (ctx) => {
        await flush();
        await (later = flights.do(ctx, "a", task));
      });
      return "first";
    });
    await flush();
    runs[0]!.succeed("second");
    await expect(later).resolves.toBe("second");
  });
});
