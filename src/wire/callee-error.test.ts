/** What a call rejects with: the caller and its callee share one clock, and each has its context. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  background,
  CanceledError,
  DeadlineExceededError,
  isCanceled,
  isContextError,
  isDeadlineExceeded,
  withCancel,
  withTimeout,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";
import {
  calleeError,
  CalleeDeadline,
  CalleeEndedError,
  formatDeadline,
  formatError,
  parseDeadline,
  parseError,
  toWire,
} from "./index.ts";

const overTheWire = (error: unknown) => parseError(formatError(error));

describe("a callee whose deadline passes a moment before its caller's", () => {
  test("makes the call reject with an exceeded deadline, whose cause says where it passed", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    using ctx = withTimeout(background(), 1_000);
    const sent = formatDeadline(ctx, { margin: 5 })!;
    using callee = withTimeout(background(), parseDeadline(sent.text)!);
    clock.advance(995);
    expect([ctx.err(), isDeadlineExceeded(callee.err())]).toEqual([undefined, true]);

    const error = calleeError(ctx, overTheWire(callee.err()), sent);
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect([isDeadlineExceeded(error), isCanceled(error)]).toEqual([true, false]);
    expect(error.cause).toBeInstanceOf(CalleeDeadline);
    expect(String(error.cause)).toBe(
      "CalleeDeadline: the caller's deadline has passed at the callee",
    );
    expect((error.cause as Error).cause).toMatchObject({ code: "ERR_CONTEXT_DEADLINE_EXCEEDED" });
    expect(overTheWire(error).cause).toMatchObject({ code: "ERR_CALLEE_DEADLINE" });
  });

  test("makes the call reject with ctx.err() if the caller's deadline has passed by then", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    using ctx = withTimeout(background(), 1_000, { cause: "mine" });
    const sent = formatDeadline(ctx);
    clock.block(1_000); // no timer has fired
    expect(calleeError(ctx, overTheWire(new DeadlineExceededError()), sent)).toBe(ctx.err());
    expect(ctx.err()?.cause).toBe("mine");
  });

  test("counts as the caller's deadline for every duration, margin, grammar and delay", () => {
    const arbitraries = [
      fc.integer({ min: 1, max: 1e9 }),
      fc.double({ min: 0, max: 200, noNaN: true }),
      fc.constantFrom("milliseconds" as const, "grpc" as const),
      fc.double({ min: 0, max: 300, noNaN: true }),
      fc.double({ min: 1 - 0.000_9, max: 1.000_9, noNaN: true }),
    ] as const;
    fc.assert(
      fc.property(...arbitraries, (ms, margin, grammar, delay, speed) => {
        const clock = new ManualClock();
        using _ = useClock(clock);
        using ctx = withTimeout(background(), ms + margin + 1);
        const sent = formatDeadline(ctx, { grammar, margin })!;
        clock.advance(delay + parseDeadline(sent.text, grammar)! * speed);
        const error = calleeError(ctx, overTheWire(new DeadlineExceededError()), sent);
        if (ctx.err() !== undefined) expect(error).toBe(ctx.err());
        else expect(error.cause).toBeInstanceOf(CalleeDeadline);
        expect(isDeadlineExceeded(error)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a callee that ends for a reason of its own", () => {
  test("makes the call reject with an error that is no context error of the caller", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    using ctx = withTimeout(background(), 10_000);
    const sent = formatDeadline(ctx);
    clock.advance(1_000);
    for (const received of [
      new DeadlineExceededError({ cause: new Error("the callee's own limit") }),
      new CanceledError({ cause: new Error("the callee shuts down") }),
      new Error("report failed", { cause: new CanceledError() }),
    ]) {
      const error = calleeError(ctx, overTheWire(received), sent);
      expect(error).toBeInstanceOf(CalleeEndedError);
      expect(isContextError(error)).toBe(false);
      expect(error.message).toBe(`the callee ended its work: ${received.message}`);
      expect(error.cause).toEqual(toWire(received));
    }
  });

  test("is no deadline of a caller that sent none", () => {
    using ctx = withCancel(background());
    const sent = formatDeadline(ctx);
    expect(sent).toBeUndefined();
    const error = calleeError(ctx, overTheWire(new DeadlineExceededError()), sent);
    expect(error).toBeInstanceOf(CalleeEndedError);
  });

  test("is the callee's cancellation also after the deadline that was sent", () => {
    const clock = new ManualClock();
    using _ = useClock(clock);
    using ctx = withTimeout(background(), 1_000);
    const sent = formatDeadline(ctx, { margin: 100 });
    clock.advance(950);
    const error = calleeError(ctx, overTheWire(new CanceledError()), sent);
    expect(error).toBeInstanceOf(CalleeEndedError);
  });

  test("is explained again by the next caller, because its context error revives on the wire", () => {
    const first = calleeError(background(), overTheWire(new CanceledError()), undefined);
    const second = calleeError(background(), overTheWire(first), undefined);
    expect([isContextError(first), isContextError(second)]).toEqual([false, false]);
  });
});

test("a context error of the callee is ctx.err() if the caller has canceled", () => {
  const ctx = withCancel(background());
  ctx.cancel(new Error("the client has gone"));
  for (const received of [new CanceledError(), new DeadlineExceededError()]) {
    expect(calleeError(ctx, overTheWire(received), undefined)).toBe(ctx.err());
  }
});

test("any other error of the callee is returned as it is, also if ctx is done", () => {
  using live = withTimeout(background(), 60_000);
  using done = withTimeout(background(), 0);
  const received = overTheWire(new RangeError("no such order"));
  expect(calleeError(live, received, formatDeadline(live))).toBe(received);
  expect(calleeError(done, received, undefined)).toBe(received);
});

test("calleeError refuses what is no context", () => {
  expect(() => calleeError({} as never, new Error(), undefined)).toThrow(
    /calleeError needs a Context/,
  );
});
