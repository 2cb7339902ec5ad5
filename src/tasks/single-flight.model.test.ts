/**
 * Takes random steps with a SingleFlight (call, leave, let time pass, succeed, fail, forget), and
 * checks after each what holds for all calls and flights.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import {
  afterFunc,
  background,
  SingleFlight,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** A context that calls use. */
interface Caller {
  readonly ctx: Context;
  readonly cancel?: CancelableContext["cancel"];
  readonly deadline: number;
  /** When it was canceled, if that was before its deadline. */
  canceledAt?: number;
}

/** One run of the task. */
interface Run {
  readonly key: number;
  readonly ctx: Context;
  readonly result: string;
  readonly error: Error;
  readonly succeed: (value: string) => void;
  readonly fail: (error: unknown) => void;
  readonly joined: Caller[];
  hasEnded: boolean;
  isForgotten: boolean;
}

interface Call {
  readonly key: number;
  readonly caller: Caller;
  /** The flight that it has joined. */
  run: Run | undefined;
  /** The canceled flight for whose end it waits before it joins one. */
  waitsFor: Run | undefined;
  outcome: PromiseSettledResult<string> | undefined;
}

class World {
  readonly clock = new ManualClock();
  readonly flights = new SingleFlight<number, string>();
  readonly callers: Caller[] = [];
  readonly calls: Call[] = [];
  readonly runs: Run[] = [];
  /** The flight that a call would find, for each key. */
  readonly found = new Map<number, Run>();

  caller(n: number, kind: number, ms: number): Caller {
    const known = this.callers[n];
    if (known !== undefined && kind > 0) return known;
    const ctx = n % 2 === 0 ? withCancel(background()) : withTimeout(background(), ms);
    const caller: Caller =
      n % 7 === 6
        ? { ctx: background(), deadline: Infinity }
        : {
            ctx,
            deadline: n % 2 === 0 ? Infinity : this.clock.now() + ms,
            cancel: (cause) => ctx.cancel(cause),
          };
    this.callers.push(caller);
    return caller;
  }

  call(key: number, kind: number, caller: Caller): void {
    const isDone = caller.ctx.err() !== undefined;
    const before = this.runs.length;
    const run = this.found.get(key);
    const isCanceled = run?.joined.every(({ ctx }) => ctx.err() !== undefined);
    const promise = this.flights.do(caller.ctx, key, (ctx) => this.task(key, kind, ctx));
    const started = this.runs.length - before;
    expect(started).toBe(isDone || run !== undefined ? 0 : 1);
    const joins = isDone || isCanceled === true ? undefined : this.found.get(key);
    const waitsFor = isDone || isCanceled !== true ? undefined : run;
    const call: Call = { key, caller, run: joins, waitsFor, outcome: undefined };
    joins?.joined.push(caller);
    this.calls.push(call);
    promise.then(
      (value) => (call.outcome = { status: "fulfilled", value }),
      (reason: unknown) => (call.outcome = { status: "rejected", reason }),
    );
  }

  /** The task ends by itself when its context ends, or not. Its signal is read, or not. */
  task(key: number, kind: number, ctx: Context): Promise<string> {
    for (const run of this.runs)
      if (run.key === key && !run.isForgotten) expect(run.hasEnded).toBe(true);
    expect(ctx.err()).toBeUndefined();
    expect(ctx.deadline()).toBeUndefined();
    return new Promise((succeed, fail) => {
      const error = new Error(`error ${this.runs.length}`);
      const result = `result ${this.runs.length}`;
      const run: Run = {
        ...{ key, ctx, result, error, succeed, fail, joined: [] },
        ...{ hasEnded: false, isForgotten: false },
      };
      this.runs.push(run);
      this.found.set(key, run);
      if (kind % 3 === 1) void ctx.signal;
      if (kind % 3 === 2)
        afterFunc(ctx, (err) => {
          run.hasEnded = true;
          fail(err);
        });
    });
  }

  end(n: number, succeeds: boolean): void {
    const running = this.runs.filter((run) => !run.hasEnded);
    const run = running[n % Math.max(1, running.length)];
    if (run === undefined) return;
    run.hasEnded = true;
    if (succeeds) run.succeed(run.result);
    else run.fail(run.error);
  }

  cancel(n: number): void {
    const caller = this.callers[n % Math.max(1, this.callers.length)];
    if (caller?.cancel === undefined) return;
    if (caller.ctx.err() === undefined) caller.canceledAt = this.clock.now();
    caller.cancel();
  }

  forget(key: number): void {
    this.flights.forget(key);
    const run = this.found.get(key);
    if (run !== undefined) run.isForgotten = true;
    this.found.delete(key);
  }

  /** A flight is done if and only if all that joined it are, with the error of the last one. */
  checkFlights(): void {
    for (const { ctx, joined, hasEnded } of this.runs) {
      if (hasEnded) continue;
      const isDone = joined.every(({ ctx }) => ctx.err() !== undefined);
      if (!isDone) expect(ctx.err()).toBeUndefined();
      else {
        const ends = joined.map((caller) => caller.canceledAt ?? caller.deadline);
        const last = joined.filter((_, i) => ends[i] === Math.max(...ends));
        expect(last.map(({ ctx }) => ctx.err())).toContain(ctx.err());
      }
    }
  }

  /** Lets all microtasks run, and checks what every call has become. */
  async settle(): Promise<void> {
    await flush();
    for (const [key, run] of this.found) if (run.hasEnded) this.found.delete(key);
    for (const call of this.calls) {
      const { caller, outcome, key } = call;
      if (outcome === undefined && call.waitsFor?.hasEnded === true) {
        // It has joined the flight that it found then, or waits for that one.
        const run = this.found.get(key);
        expect(run).toBeDefined();
        const isLive = run?.joined.length === 0 || run?.ctx.err() === undefined;
        call.waitsFor = isLive ? undefined : run;
        call.run = isLive ? run : undefined;
        call.run?.joined.push(caller);
      }
      const err = caller.ctx.err();
      const { run } = call;
      if (outcome === undefined) expect((run ?? call.waitsFor)?.hasEnded).toBe(false);
      else if (outcome.status === "fulfilled") expect(outcome.value).toBe(run?.result);
      else if (outcome.reason !== err || err === undefined)
        expect([outcome.reason, run?.hasEnded]).toEqual([run?.error, true]);
    }
  }
}

const key = fc.nat(1);
const nat = fc.nat(30);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constant("call"), key, nat, nat, fc.nat(3)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("cancel"), nat) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("end"), nat, key) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("forget"), key) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("advance"), fc.nat(10)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("block"), fc.nat(10)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("check")) },
  { weight: 4, arbitrary: fc.tuple(fc.constant("settle")) },
);

async function run(steps: readonly (readonly [string, ...number[]])[]): Promise<void> {
  const world = new World();
  using _ = useClock(world.clock);
  for (const [name, a = 0, b = 0, c = 0, d = 0] of steps) {
    if (name === "call") world.call(a, c, world.caller(b, d, c));
    else if (name === "cancel") world.cancel(a);
    else if (name === "end") world.end(a, b === 0);
    else if (name === "forget") world.forget(a);
    else if (name === "advance") world.clock.advance(a);
    else if (name === "block") world.clock.block(a);
    else if (name === "check") world.checkFlights();
    else await world.settle();
  }
  await world.settle();
  world.checkFlights();
  // Ends all flights, also those that start meanwhile.
  for (let i = 0; world.runs.some((run) => !run.hasEnded); i++) {
    world.end(0, i % 2 === 0);
    await world.settle();
  }
  expect(world.calls.filter(({ outcome }) => outcome === undefined)).toEqual([]);
  for (const caller of world.callers) caller.cancel?.();
  expect(world.clock.timers).toBe(0);
}

test(
  "calls, leaves, ends and forgets in any order keep one flight for each key, and lose no answer",
  { timeout: 600_000 },
  async () => {
    const steps = fc.array(step, { maxLength: 60, size: "max" });
    const numRuns = Number(process.env["EIGHTYSIX_MODEL_RUNS"] ?? 500);
    await fc.assert(fc.asyncProperty(steps as fc.Arbitrary<[string, ...number[]][]>, run), {
      numRuns,
    });
  },
);
