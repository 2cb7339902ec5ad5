/**
 * Compares the tree with a slow, simple model that pushes each end to all descendants at once. The
 * two must agree after any sequence of steps (derive, watch, cancel, ask, let time pass), even if
 * listeners take the steps.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countListeners,
  foreignContext,
  Offering,
  Theirs,
} from "../../test/support/foreign-context.ts";
import {
  afterFunc,
  background,
  CanceledError,
  DeadlineExceededError,
  key,
  merge,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type AbortSignalLike,
  type CancelableContext,
  type Context,
  type ContextError,
  type Stop,
} from "../index.ts";
import { scopeOf } from "./foreign.ts";
import { ScopedContext } from "./handle.ts";
import { JoinAllScope } from "./join-all.ts";
import { ManualClock, useClock } from "../testing/index.ts";

// ------------------------------------------------------------------------------- the model

interface ModelEnd {
  kind: "canceled" | "deadline";
  cause: unknown;
  at: number;
  /** The node that ended first. All that ended with it share its error. */
  origin: number;
}

class ModelNode {
  end: ModelEnd | undefined;
  readonly children: ModelNode[] = [];
  readonly id: number;
  /** In the order in which they were given, which decides if two of them end at the same time. */
  readonly parents: (ModelNode | undefined)[];
  readonly deadline: number;
  readonly deadlineCause: unknown;
  /** Whether the node ends with the last of its parents, and not with the first. */
  readonly needsAll: boolean;
  constructor(
    id: number,
    parents: (ModelNode | undefined)[],
    deadline: number,
    deadlineCause: unknown,
    needsAll: boolean,
  ) {
    this.id = id;
    this.parents = parents;
    this.deadline = deadline;
    this.deadlineCause = deadlineCause;
    this.needsAll = needsAll;
  }

  /** The end that the node gets from its parents. */
  get inherited(): ModelEnd | undefined {
    const ends = this.parents.map((parent) => parent?.end);
    if (!this.needsAll) return ends.find((end) => end !== undefined);
    if (ends.length === 0 || ends.includes(undefined)) return undefined;
    return (ends as ModelEnd[]).reduce((last, end) => (isBefore(end, last) ? last : end));
  }

  isAbove(other: ModelNode): boolean {
    return this === other || this.children.some((child) => child.isAbove(other));
  }
}

/** A deadline comes before a cancellation at the same time. */
function isBefore(a: ModelEnd, b: ModelEnd): boolean {
  return a.at === b.at ? a.kind === "deadline" && b.kind === "canceled" : a.at < b.at;
}

class Model {
  now = 0;
  readonly nodes: ModelNode[] = [];

  add(
    parents: (ModelNode | undefined)[],
    deadline: number,
    cause: unknown,
    needsAll: boolean,
  ): ModelNode {
    const node = new ModelNode(this.nodes.length, parents, deadline, cause, needsAll);
    this.nodes.push(node);
    for (const parent of parents) parent?.children.push(node);
    node.end = node.inherited;
    if (node.end === undefined && deadline <= this.now) this.expire(node);
    return node;
  }

  /** Adds a parent to a node that needs all of its parents. */
  addParent(node: ModelNode, parent: ModelNode): void {
    node.parents.push(parent);
    parent.children.push(node);
  }

  expire(node: ModelNode): void {
    this.endAll(node, this.expiry(node));
  }

  cancel(node: ModelNode, cause: unknown): void {
    this.endAll(node, { kind: "canceled", cause, at: this.now, origin: node.id });
  }

  private expiry(node: ModelNode): ModelEnd {
    const at = Math.min(node.deadline, this.now);
    return { kind: "deadline", cause: node.deadlineCause, at, origin: node.id };
  }

  private endAll(node: ModelNode, end: ModelEnd | undefined): void {
    if (node.end !== undefined || end === undefined) return;
    node.end = end;
    for (const child of node.children) this.endAll(child, child.needsAll ? child.inherited : end);
  }

  /**
   * Ends what expires at `time`, and all below it. If several parents of a node end at that time, the
   * first that was given counts, and a parent counts before the node's own deadline. So the parents
   * of a node are asked before the node.
   */
  expireAt(time: number): void {
    const asked = new Set<ModelNode>();
    const ask = (node: ModelNode): void => {
      if (node.end !== undefined || asked.has(node)) return;
      asked.add(node);
      for (const parent of node.parents) if (parent !== undefined) ask(parent);
      node.end = node.inherited;
      if (node.end === undefined && node.deadline <= time) node.end = this.expiry(node);
    };
    for (const node of this.nodes) ask(node);
  }

  advance(ms: number): void {
    this.now += ms;
    const due = this.nodes.filter((n) => n.end === undefined && n.deadline <= this.now);
    const times = [...new Set(due.map((n) => n.deadline))].sort((a, b) => a - b);
    for (const time of times) this.expireAt(time);
  }
}

// ------------------------------------------------------------------------------- the world

/** A signal that is no EventTarget and has no reason until it aborts. */
class PolyfilledSignal implements AbortSignalLike {
  aborted = false;
  reason: unknown;
  readonly listeners = new Set<() => void>();
  addEventListener(_type: "abort", listener: () => void): void {
    this.listeners.add(listener);
  }
  removeEventListener(_type: "abort", listener: () => void): void {
    this.listeners.delete(listener);
  }
  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.listeners) listener();
  }
}

interface Node {
  model: ModelNode;
  ctx: Context;
  cancel?: (cause: unknown) => void;
  /** If the context ends with the last of several. */
  all?: JoinAllScope;
}

type Watcher = { node: Node; stop?: Stop; expected: boolean; calls: number };

const Tag = key<number>("tag");

class World {
  readonly clock = new ManualClock();
  readonly model = new Model();
  readonly nodes: Node[] = [];
  readonly watchers: Watcher[] = [];
  readonly problems: string[] = [];
  /** The listeners on each foreign signal. */
  readonly counters: { readonly count: number }[] = [];
  readonly registries: Set<() => void>[] = [];
  /** The error of each end. All that ended with it must share the error. */
  readonly errors = new Map<ModelEnd, ContextError>();
  /** The watchers that were called, in order. */
  readonly log: Watcher[] = [];
  readonly root: Node;
  causes = 0;

  constructor() {
    const ctx = withCancel(background());
    this.root = this.add({ ctx, parents: [], cancel: (cause) => ctx.cancel(cause) });
  }

  add(options: {
    ctx: Context;
    parents: Node[];
    at?: number;
    cause?: unknown;
    cancel?: (cause: unknown) => void;
    all?: JoinAllScope;
  }): Node {
    const { ctx, parents, at = Infinity, cause, cancel, all } = options;
    const model = this.model.add(
      parents.map((p) => p.model),
      at,
      cause,
      all !== undefined,
    );
    const node: Node = { model, ctx, ...(cancel && { cancel }), ...(all && { all }) };
    this.nodes.push(node);
    return node;
  }

  pick(n: number): Node {
    return this.nodes[n % this.nodes.length] as Node;
  }

  cancelable(parent: Node, ctx: CancelableContext, at?: number, cause?: unknown): Node {
    const cancel = (c: unknown): void => {
      ctx.cancel(c);
    };
    return this.add(
      at === undefined
        ? { ctx, parents: [parent], cancel }
        : { ctx, parents: [parent], at, cause, cancel },
    );
  }

  derive(kind: number, n: number, m: number, ms: number): void {
    const parent = this.pick(n);
    const other = this.pick(m);
    const cause = new Error(`deadline ${this.causes++}`);
    switch (kind % 12) {
      case 0:
      case 1:
        return void this.cancelable(parent, withCancel(parent.ctx));
      case 2:
      case 3:
        return void this.cancelable(
          parent,
          withTimeout(parent.ctx, ms, { cause }),
          this.model.now + Math.max(ms, 0),
          cause,
        );
      case 4: {
        const wall = this.clock.wall() + ms;
        return void this.cancelable(
          parent,
          withDeadline(parent.ctx, new Date(wall), { cause }),
          Math.max(this.model.now + ms, this.model.now),
          cause,
        );
      }
      case 5:
        return void this.add({ ctx: withValue(parent.ctx, Tag, m), parents: [parent] });
      case 6:
        return void this.add({ ctx: withoutCancel(parent.ctx), parents: [] });
      case 7: {
        const ctx = merge(parent.ctx, other.ctx);
        return void this.add({ ctx, parents: [parent, other], cancel: (c) => ctx.cancel(c) });
      }
      case 8: {
        let signal: AbortSignalLike;
        let abort: (cause: unknown) => void;
        if (m % 2 === 0) {
          const controller = new AbortController();
          this.counters.push(countListeners(controller.signal));
          signal = controller.signal;
          abort = (c) => controller.abort(c);
        } else {
          const polyfilled = new PolyfilledSignal();
          this.registries.push(polyfilled.listeners);
          signal = polyfilled;
          abort = (c) => polyfilled.abort(c);
        }
        const source = this.add({
          ctx: parent.ctx,
          parents: [],
          cancel: abort,
        });
        // A signal is not a context, so its node only has the end.
        this.nodes.pop();
        this.signals.push(source);
        const ctx = withSignal(parent.ctx, signal);
        return void this.add({ ctx, parents: [parent, source], cancel: (c) => ctx.cancel(c) });
      }
      case 9: {
        const ctx = m % 2 === 0 ? new Theirs(parent.ctx) : new Offering(parent.ctx);
        if (ctx instanceof Offering) this.registries.push(ctx.registered);
        this.counters.push(ctx.counter);
        const cancel = (cause: unknown) => ctx.end(new CanceledError({ cause }));
        return void this.add({ ctx, parents: [], cancel });
      }
      case 10: {
        const all = new JoinAllScope("JoinAll");
        // What has ended is never added.
        const parents = [parent, other].filter(({ model }) => model.end === undefined);
        for (const { ctx } of parents) all.add(scopeOf(ctx));
        const ctx = new ScopedContext(background(), all, undefined);
        return void this.add({ ctx, parents, all, cancel: (c) => ctx.cancel(c) });
      }
      default:
        return void this.add({ ctx: foreignContext(parent.ctx), parents: [parent] });
    }
  }

  /** Adds a source to a context that ends with the last of several. */
  addSource(n: number, m: number): void {
    const nodes = this.nodes.filter((node) => node.all !== undefined);
    const node = nodes[n % Math.max(1, nodes.length)];
    const source = this.pick(m);
    if (node === undefined || source.model.end !== undefined || node.model.isAbove(source.model))
      return;
    const isLive = node.all?.add(scopeOf(source.ctx));
    if (isLive !== (node.model.end === undefined)) this.problems.push("add() was wrong");
    if (isLive) this.model.addParent(node.model, source.model);
  }

  readonly signals: Node[] = [];

  cancel(node: Node, cause = new Error(`cancel ${this.causes++}`)): void {
    if (node.cancel === undefined) return;
    this.model.cancel(node.model, cause);
    node.cancel(cause);
  }

  abortSignal(n: number): void {
    const source = this.signals[n % Math.max(1, this.signals.length)];
    if (source !== undefined) this.cancel(source);
  }

  /** Registers a watcher that, when it is called, compares everything and may cancel and derive. */
  watch(kind: number, n: number, m: number): void {
    const node = this.pick(n);
    const victim = kind % 2 === 0 ? this.pick(m) : undefined;
    const watcher: Watcher = { node, expected: true, calls: 0 };
    const called = (err: unknown): void => {
      watcher.calls++;
      this.log.push(watcher);
      if (err !== node.ctx.err()) this.problems.push("a listener got another error than err()");
      this.compare("inside a listener");
      if (victim) this.cancel(victim);
      // Derives from any context, including this one and its ancestors.
      if (kind % 5 === 0) {
        this.derive(kind + m, kind % 10 === 0 ? this.nodes.indexOf(node) : n + m, m, kind % 20);
        this.compareOne(this.nodes.at(-1) as Node, "derived inside a listener");
      }
    };
    this.watchers.push(watcher);
    if (kind % 3 === 0) {
      const { signal } = node.ctx;
      if (signal.aborted) watcher.expected = false;
      else signal.addEventListener("abort", () => called(signal.reason), { once: true });
    } else watcher.stop = afterFunc(node.ctx, called);
  }

  unwatch(n: number): void {
    const watcher = this.watchers[n % Math.max(1, this.watchers.length)];
    if (watcher?.stop === undefined) return;
    const stopped = watcher.stop();
    if (stopped) watcher.expected = false;
    if (stopped && watcher.node.model.end !== undefined)
      this.problems.push("stop() was true after the end");
  }

  look(n: number): void {
    this.compareOne(this.pick(n), "looking");
  }

  compare(when: string): void {
    for (const node of this.nodes) this.compareOne(node, when);
  }

  compareOne({ model, ctx }: Node, when: string): void {
    const err = ctx.err();
    const { end } = model;
    const problem = (what: string): void =>
      void this.problems.push(`${when}, at ${this.model.now}: node ${model.id} ${what}`);
    if ((err === undefined) !== (end === undefined)) {
      problem(`is ${err?.message ?? "live"}, expected ${end?.kind ?? "live"}`);
      return;
    }
    if (err === undefined || end === undefined) return;
    if (err instanceof DeadlineExceededError !== (end.kind === "deadline"))
      problem(`says ${err.message}, expected ${end.kind}`);
    const known = this.errors.get(end);
    if (known === undefined) this.errors.set(end, err);
    else if (known !== err) problem("has another error than what ended with it");
    if (err.cause !== end.cause)
      problem(`has cause ${String(err.cause)}, expected ${String(end.cause)}`);
  }

  /**
   * Checks that the listeners, and the callbacks, of a context ran in the order of registration.
   */
  checkOrder(): void {
    for (const node of this.nodes) {
      const mine = this.log.filter((watcher) => watcher.node === node);
      for (const isCallback of [true, false]) {
        const kind = mine.filter((watcher) => (watcher.stop !== undefined) === isCallback);
        if (!rises(kind.map((watcher) => this.watchers.indexOf(watcher)))) {
          this.problems.push(`node ${node.model.id} called its listeners out of order`);
        }
      }
    }
  }

  /** Ends everything and checks that nothing is left behind. */
  async finish(): Promise<void> {
    // Repeats for the contexts that listeners have derived in the meantime.
    for (let ended = 0; ended < this.nodes.length;) {
      ended = this.nodes.length;
      for (const node of [...this.signals, ...this.nodes]) {
        // Of two ends at one time, an unwatched context cannot tell which came first.
        this.model.advance(1);
        this.clock.advance(1);
        this.cancel(node);
      }
      await flush();
    }
    this.compare("at the end");
    for (const { node, expected, calls } of this.watchers) {
      if (node.cancel === undefined && node.model.end === undefined) continue;
      if (calls !== (expected ? 1 : 0))
        this.problems.push(`a listener was called ${calls} times, expected ${expected ? 1 : 0}`);
    }
    this.checkOrder();
    for (const registry of this.registries) {
      if (registry.size > 0) this.problems.push("a foreign registration is left");
    }
    if (this.clock.timers > 0) this.problems.push(`${this.clock.timers} timers left behind`);
    for (const { count } of this.counters)
      if (count > 0) this.problems.push(`${count} listeners left on a foreign signal`);
    for (const { ctx } of this.nodes) {
      if (ctx.err() !== undefined && !ctx.signal.aborted)
        this.problems.push("a done context's signal is not aborted");
    }
  }
}

/** Returns whether the numbers rise. */
function rises(numbers: number[]): boolean {
  return numbers.every((n, i) => i === 0 || n > (numbers[i - 1] as number));
}

async function flush(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

// ------------------------------------------------------------------------------- the property

const nat = fc.nat(1000);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant("derive"), nat, nat, nat, fc.integer({ min: -5, max: 40 })),
  },
  { weight: 3, arbitrary: fc.tuple(fc.constant("watch"), nat, nat, nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("unwatch"), nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("add"), nat, nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("cancel"), nat) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("abort"), nat) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("advance"), fc.nat(15)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("block"), fc.nat(15)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("look"), nat) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("flush")) },
);

async function run(
  steps: readonly (readonly [string, ...number[]])[],
  lookAlways: boolean,
): Promise<void> {
  const world = new World();
  using _clock = useClock(world.clock);
  for (const [name, a = 0, b = 0, c = 0, d = 0] of steps) {
    if (name === "derive") world.derive(a, b, c, d);
    else if (name === "watch") world.watch(a, b, c);
    else if (name === "unwatch") world.unwatch(a);
    else if (name === "add") world.addSource(a, b);
    else if (name === "cancel") world.cancel(world.pick(a));
    else if (name === "abort") world.abortSignal(a);
    else if (name === "look") world.look(a);
    else if (name === "flush") await flush();
    else if (name === "block") {
      world.model.advance(a);
      world.clock.block(a);
    } else {
      world.clock.advance(0); // timers that fell due while the event loop was blocked
      for (let ms = 0; ms < a; ms++) {
        world.model.advance(1);
        world.clock.advance(1);
      }
    }
    if (lookAlways) world.compare(name);
    expect(world.problems).toEqual([]);
  }
  await world.finish();
  expect(world.problems).toEqual([]);
}

// The test takes two seconds. The limit is for a busy machine.
const SLOW = { timeout: 600_000 };

describe("a random tree agrees with the model on errors, causes, order and leftovers", SLOW, () => {
  const steps = fc.array(step, { maxLength: 60, size: "max" }) as fc.Arbitrary<
    [string, ...number[]][]
  >;
  const numRuns = Number(process.env["EIGHTYSIX_MODEL_RUNS"] ?? 600);

  it("if every context is asked after every step (invariants 1, 2, 4, 5)", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (s) => run(s, true)),
      { numRuns },
    );
  });

  it("if only some contexts are asked, and late (invariants 1, 4, 5)", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (s) => run(s, false)),
      { numRuns },
    );
  });
});
