/**
 * Compares `group` with what its documentation says, for random bodies: tasks that start tasks, wait,
 * fail, clean up and fail again, under random limits and cancellations.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { flush } from "../../test/support.ts";
import { watchReports } from "../../test/support/reports.ts";
import { background, group, sleep, withCancel, type Context, type Group } from "../index.ts";
import { scopeOf } from "../core/foreign.ts";
import { isWatched } from "../core/tree.ts";
import { ManualClock, useClock } from "../testing/index.ts";

/** What a task does, in this order. */
interface Plan {
  /** Milliseconds that it waits with its context. 0 does not wait. */
  waits: number;
  /** Whether it goes on if its context ends during the wait, or passes the end on. */
  ignoresEnd: boolean;
  /** The tasks that it starts after the wait. */
  starts: Plan[];
  /** Whether these are started with `tryGo`. */
  tries: boolean;
  /** Milliseconds of cleanup, which no context stops. */
  cleansUp: number;
  fails: boolean;
}

const { plan } = fc.letrec<{ plan: Plan; plans: Plan[] }>((tie) => ({
  plans: fc.array(tie("plan"), { maxLength: 4 }),
  plan: fc.record({
    waits: fc.constantFrom(0, 0, 1, 2, 5),
    ignoresEnd: fc.boolean(),
    starts: fc.oneof({ maxDepth: 3 }, fc.constant<Plan[]>([]), tie("plans")),
    tries: fc.boolean(),
    cleansUp: fc.constantFrom(0, 0, 1, 3),
    fails: fc.boolean(),
  }),
}));
/** A body, and how many of its tasks may fail by themselves. */
const bodies = fc.tuple(plan, fc.integer({ min: 0, max: 3 }));

class Run {
  running = 0;
  most = 0;
  /** The tasks in the order of their `go`, and in the order in which they began. */
  readonly asked: number[] = [];
  readonly began: number[] = [];
  ended = 0;
  /** What tasks and the body threw, in order. */
  readonly failures: unknown[] = [];
  /** Whether a task began after the group's context had ended. */
  beganLate = false;
  #tasks = 0;
  readonly #failing: number;
  #failed = 0;
  constructor(failing: number) {
    this.#failing = failing;
  }

  start(g: Group, plan: Plan, tries: boolean): void {
    const id = this.#tasks++;
    const task = async (ctx: Context): Promise<void> => {
      this.began.push(id);
      this.beganLate ||= ctx.err() !== undefined;
      this.most = Math.max(this.most, ++this.running);
      try {
        await this.act(g, ctx, plan);
      } finally {
        this.running--;
        this.ended++;
      }
    };
    this.asked.push(id); // before the call, in which the task may start others
    if (!tries) void g.go(task);
    else if (g.tryGo(task) === undefined) this.asked.pop();
  }

  async act(g: Group, ctx: Context, plan: Plan): Promise<void> {
    try {
      if (plan.waits > 0) {
        await sleep(ctx, plan.waits).catch((error: unknown) => {
          if (!plan.ignoresEnd) throw error;
        });
      }
      for (const next of plan.starts) this.start(g, next, plan.tries);
      if (plan.fails && this.#failed < this.#failing) throw new Error(`failure ${this.#failed++}`);
    } catch (error) {
      for (let ms = 0; ms < plan.cleansUp; ms++) await sleep(background(), 1);
      this.failures.push(error);
      throw error;
    }
  }
}

watchReports();

test("group keeps its promises for any body, limit, failure and cancellation", async () => {
  const lost: unknown[] = [];
  const onLost = (message: unknown): void =>
    void lost.push((message as { suppressed: unknown }).suppressed);
  subscribe("eightysix:task.suppressed", onLost);
  const property = fc.asyncProperty(
    bodies,
    fc.constantFrom(1, 2, 3, Infinity),
    fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
    async ([body, failing], limit, cancelAfter) => {
      lost.length = 0;
      const clock = new ManualClock();
      using _ = useClock(clock);
      const run = new Run(failing);
      const ctx = withCancel(background());
      let end: unknown;
      let inner: Context | undefined;
      let outcome: { error: unknown } | { value: unknown } | undefined;
      const settled = group(
        ctx,
        async (g) => {
          inner = g.ctx;
          await run.act(g, g.ctx, body);
          return "value";
        },
        { limit },
      ).then(
        (value) => {
          outcome = { value };
          expect(run.running).toBe(0); // in the moment in which it settles
        },
        (error: unknown) => {
          outcome = { error };
          expect(run.running).toBe(0);
        },
      );
      await flush();
      for (let ms = 0; outcome === undefined; ms++) {
        if (ms === cancelAfter) {
          ctx.cancel("canceled");
          end = ctx.err();
        }
        expect(ms).toBeLessThan(5_000);
        clock.advance(1);
        await flush();
      }
      await settled;

      expect(run.ended).toBe(run.began.length);
      expect(run.most).toBeLessThanOrEqual(limit);
      expect(run.began).toEqual(run.asked.slice(0, run.began.length));
      expect(run.beganLate).toBe(false);
      expect(inner?.err()).toBeDefined();
      expect(isWatched(scopeOf(ctx)!)).toBe(false);
      expect(clock.timers).toBe(0);

      const groupError = inner?.err();
      const neverBegan = run.asked.length > run.began.length;
      const real = run.failures.filter((error) => error !== groupError && error !== end);
      if (run.failures.length === 0 && !neverBegan) {
        expect(outcome).toEqual({ value: "value" });
        return;
      }
      const { error } = outcome as { error: unknown };
      // The first failure, unless a task that could not begin any more was first.
      if (error === end) expect(neverBegan || run.failures[0] === end).toBe(true);
      else expect(error).toBe(run.failures[0]);
      const { suppressed = [] } = error as { suppressed?: unknown[] };
      // None is lost, and none is reported twice.
      expect([error, ...suppressed, ...lost].filter((each) => each !== end)).toEqual(real);
    },
  );
  await fc.assert(property, { numRuns: 300 });
  unsubscribe("eightysix:task.suppressed", onLost);
});
