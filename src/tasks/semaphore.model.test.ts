/**
 * Compares the semaphore with a slow, simple model of it. After any sequence of steps (acquire, try,
 * release, cancel, let time pass with and without timers) the two must agree on who holds tokens, who
 * waits and who was rejected.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { flush } from "../../test/support.ts";
import {
  background,
  Semaphore,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Permit,
} from "../index.ts";
import { ManualClock, useClock } from "../testing/index.ts";

type State = "waiting" | "granted" | "holding" | "rejected" | "released";

interface Caller {
  readonly id: number;
  readonly weight: number;
  readonly ctx: CancelableContext;
  /** The time at which `ctx` ends, or at which it was canceled. */
  endsAt: number;
  /** What the model says. */
  state: State;
  /** What the semaphore says. */
  seen: State;
  permit?: Permit;
  error?: unknown;
}

class Run {
  readonly clock = new ManualClock();
  readonly semaphore: Semaphore;
  readonly callers: Caller[] = [];
  readonly size: number;
  free: number;
  queue: Caller[] = [];

  constructor(size: number) {
    this.size = this.free = size;
    this.semaphore = new Semaphore(size);
  }

  isDone(caller: Caller): boolean {
    return this.clock.now() >= caller.endsAt;
  }

  #add(weight: number, ctx: CancelableContext, endsAt: number): Caller {
    const id = this.callers.length;
    const caller: Caller = { id, weight, ctx, endsAt, state: "waiting", seen: "waiting" };
    this.callers.push(caller);
    return caller;
  }

  acquire(weight: number, timeout: number | undefined): void {
    const ctx =
      timeout === undefined ? withCancel(background()) : withTimeout(background(), timeout);
    const caller = this.#add(weight, ctx, this.clock.now() + (timeout ?? Infinity));
    this.semaphore.acquire(ctx, weight).then(
      (permit) => {
        caller.permit = permit;
        caller.seen = "holding";
      },
      (error: unknown) => {
        caller.error = error;
        caller.seen = "rejected";
      },
    );
    if (this.isDone(caller)) caller.state = "rejected";
    else if (weight > this.size)
      this.serve(); // the call still finds those whose deadline has passed
    else {
      this.queue.push(caller);
      const isFast = this.serve() && this.queue.length === 0 && caller.state === "granted";
      if (isFast && this.queue.length === 0) this.#fast.add(caller);
    }
  }
  /** The callers whose tokens were free at once, so that a later end does not take them back. */
  readonly #fast = new Set<Caller>();

  tryAcquire(weight: number): void {
    const permit = this.semaphore.tryAcquire(weight);
    this.serve();
    const isFree = this.queue.length === 0 && weight <= this.free;
    expect(permit !== undefined).toBe(isFree);
    if (permit === undefined) return;
    this.free -= weight;
    const caller = this.#add(weight, withCancel(background()), Infinity);
    caller.permit = permit;
    caller.state = caller.seen = "holding";
  }

  release(n: number): void {
    const holding = this.callers.filter(({ seen }) => seen === "holding" || seen === "released");
    const caller = holding[n % Math.max(1, holding.length)];
    if (caller === undefined) return;
    caller.permit?.release();
    if (caller.seen === "released") return; // the second release does nothing
    caller.state = caller.seen = "released";
    this.free += caller.weight;
    this.serve();
  }

  cancel(n: number): void {
    const caller = this.callers[n % Math.max(1, this.callers.length)];
    if (caller === undefined) return;
    caller.endsAt = Math.min(caller.endsAt, this.clock.now());
    caller.ctx.cancel();
    this.#pushed.add(caller);
  }
  /** The callers whose contexts have told them of their end. */
  readonly #pushed = new Set<Caller>();

  /** Lets time pass. Timers fire, each at its own time. */
  async advance(ms: number): Promise<void> {
    await this.settle();
    for (let i = 0; i <= ms; i++) {
      this.clock.advance(i === 0 ? 0 : 1);
      for (const caller of this.callers) if (this.isDone(caller)) this.#pushed.add(caller);
      await this.settle();
    }
  }

  /** Lets the callers at the head leave or have their tokens. */
  serve(): true {
    for (let head = this.queue[0]; head !== undefined; head = this.queue[0]) {
      const isDone = this.isDone(head);
      if (!isDone && head.weight > this.free) break;
      this.queue.shift();
      head.state = isDone ? "rejected" : "granted";
      if (!isDone) this.free -= head.weight;
    }
    return true;
  }

  /** Runs the microtasks, and compares. */
  async settle(): Promise<void> {
    await flush();
    const left = this.callers.filter((c) => c.state === "waiting" && this.#pushed.has(c));
    for (const caller of left) caller.state = "rejected";
    this.queue = this.queue.filter(({ state }) => state === "waiting");
    // A caller whose weight exceeds the size is not in the queue, so its end serves no other caller.
    if (left.some((caller) => caller.weight <= this.size)) this.serve();
    for (let granted; (granted = this.callers.find(({ state }) => state === "granted"));) {
      const isLost = this.isDone(granted) && !this.#fast.has(granted);
      granted.state = isLost ? "rejected" : "holding";
      if (!isLost) continue;
      this.free += granted.weight;
      this.serve();
    }
    this.compare();
  }

  compare(): void {
    const { callers, semaphore, queue, size } = this;
    expect(callers.map(({ seen }) => seen)).toEqual(callers.map(({ state }) => state));
    expect([semaphore.free, semaphore.waiting]).toEqual([this.free, queue.length]);
    for (const { seen, error, ctx } of callers)
      if (seen === "rejected") expect(error).toBe(ctx.err());
    // What the model promises is checked as well, so that an error of the model is found.
    const held = callers.filter(({ seen }) => seen === "holding");
    expect(semaphore.free + held.reduce((sum, { weight }) => sum + weight, 0)).toBe(size);
    const first = queue.find((caller) => !this.isDone(caller));
    if (first === undefined) return;
    const isBehindLive = queue[0] === first;
    if (isBehindLive) expect(first.weight).toBeGreaterThan(semaphore.free);
    expect(held.every(({ id }) => id < first.id)).toBe(true);
  }
}

const weight = fc.integer({ min: 1, max: 6 });
const step = fc.oneof(
  fc.record({
    kind: fc.constant("acquire" as const),
    weight,
    timeout: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("tryAcquire" as const), weight }),
  fc.record({ kind: fc.constantFrom("release" as const, "cancel" as const), n: fc.nat(50) }),
  fc.record({ kind: fc.constantFrom("block" as const, "advance" as const), ms: fc.nat(6) }),
  fc.record({ kind: fc.constant("settle" as const) }),
);

test("the semaphore agrees with its model after any sequence of steps", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(step, { maxLength: 60 }),
      async (size, steps) => {
        const run = new Run(size);
        using _ = useClock(run.clock);
        for (const step of steps) {
          if (step.kind === "acquire") run.acquire(step.weight, step.timeout);
          else if (step.kind === "tryAcquire") run.tryAcquire(step.weight);
          else if (step.kind === "release") run.release(step.n);
          else if (step.kind === "cancel") run.cancel(step.n);
          else if (step.kind === "block") run.clock.block(step.ms);
          else if (step.kind === "advance") await run.advance(step.ms);
          else await run.settle();
        }
        await run.settle();
        // At the end nothing is left.
        for (const i of run.callers.keys()) run.cancel(i);
        await run.settle();
        for (const { permit } of run.callers) permit?.release();
        expect([run.semaphore.free, run.semaphore.waiting]).toEqual([size, 0]);
        expect(run.clock.timers).toBe(0);
      },
    ),
    { numRuns: 500 },
  );
});
