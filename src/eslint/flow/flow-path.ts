/** The control flow of each function of a file, on the code paths of ESLint. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";

type Segment = TSESLint.CodePathSegment;

/** Where an exception goes: to a `catch`, through a `finally`, or out of the function. */
export type ThrowTarget = "catch" | "finally" | "caller";

/** How a way through a function ends. The node is the statement, or the function if its end is reached. */
export interface Exit {
  how: "return" | "throw" | "end";
  node: TSESTree.Node;
}

/** What is asked on the ways that `follow` takes. */
export interface Follower<Mark> {
  /** Is called for each mark, in order. If it returns true, the way goes no further. */
  mark(mark: Mark): boolean;
  /** Whether the exception of a call counts. Without it, none counts. */
  throws?(call: TSESTree.Node, target: ThrowTarget): boolean;
  /** Is called where a way leaves the function. */
  exit?(exit: Exit): void;
}

type Step<Mark> = { mark: Mark } | { call: TSESTree.Node };

/** The control flow of one function, or of the module. `Mark` is what a rule notes on it. */
export class FlowPath<Mark> {
  readonly node: TSESTree.Node;
  readonly upper: FlowPath<Mark> | undefined;
  readonly #codePath: TSESLint.CodePath;
  /** The segments at the place where ESLint is, in ESLint's order. */
  readonly current = new Set<Segment>();
  readonly #steps = new Map<Segment, Step<Mark>[]>();
  /** The segments that a statement or the end of the function leaves, or that pass a `finally` on to it. */
  readonly #leaves = new Map<Segment, Exit>();
  /** The first segments of each `catch`, and those of each `finally` that passes an exception or a return on. */
  readonly #targets = new Map<TSESTree.Node, Segment[]>();
  readonly #isTarget = new Set<Segment>();
  readonly #widths = new Map<TSESTree.Node, number>();
  /** The segments that end with the test of the last `case` of a `switch`. */
  readonly #lastTests = new Map<TSESTree.Node, Segment[]>();
  /** Ways that ESLint has, and that the types rule out. */
  readonly #closed = new Map<Segment, ReadonlySet<Segment>>();

  constructor(codePath: TSESLint.CodePath, node: TSESTree.Node, upper: FlowPath<Mark> | undefined) {
    this.#codePath = codePath;
    this.node = node;
    this.upper = upper;
  }

  /** Notes a mark at the place where ESLint is. */
  mark(mark: Mark): void {
    this.#step({ mark });
  }

  noteCall(call: TSESTree.Node): void {
    this.#step({ call });
  }

  noteExit(exit: Exit): void {
    for (const segment of this.current) this.#leaves.set(segment, exit);
  }

  enterTry(node: TSESTree.TryStatement): void {
    this.#widths.set(node, this.current.size);
  }

  enterCatch(node: TSESTree.CatchClause): void {
    this.#setTarget(node, [...this.current]);
  }

  /** ESLint follows a `finally` twice side by side: for the normal end, and for what leaves. */
  enterFinally(block: TSESTree.BlockStatement): void {
    const width = this.#widths.get(block.parent) ?? 0;
    this.#setTarget(block, [...this.current].slice(width));
  }

  leaveFinally(block: TSESTree.BlockStatement): void {
    if ((this.#targets.get(block) ?? []).length === 0) return;
    const width = this.#widths.get(block.parent) ?? 0;
    for (const segment of [...this.current].slice(width))
      this.#leaves.set(segment, { how: "throw", node: block });
  }

  leaveTest(test: TSESTree.Node): void {
    this.#lastTests.set(test.parent?.parent ?? test, [...this.current]);
  }

  /** Closes the way past all cases of a `switch` that has a case for each value. */
  leaveExhaustiveSwitch(node: TSESTree.SwitchStatement): void {
    const after = new Set(this.current);
    for (const segment of this.#lastTests.get(node) ?? []) this.#closed.set(segment, after);
  }

  /** Follows every way that begins behind the marks for which `isStart` holds. */
  followFrom(isStart: (mark: Mark) => boolean, follower: Follower<Mark>): void {
    const starts: [Segment, number][] = [];
    for (const [segment, steps] of this.#steps)
      for (const [i, step] of steps.entries())
        if ("mark" in step && isStart(step.mark)) starts.push([segment, i + 1]);
    this.#follow(starts, follower);
  }

  /** Follows every way that begins where the function begins. */
  followFromBeginning(follower: Follower<Mark>): void {
    this.#follow([[this.#codePath.initialSegment, 0]], follower);
  }

  #follow(todo: [Segment, number][], follower: Follower<Mark>): void {
    const seen = new Set<Segment>();
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const [segment, from] = next;
      if (from === 0 && seen.has(segment)) continue;
      if (from === 0) seen.add(segment);
      if (!this.#takeSteps(segment, from, follower, todo)) continue;
      const exit = this.#leaves.get(segment);
      if (exit !== undefined && this.#isOut(segment, exit)) follower.exit?.(exit);
      for (const after of segment.nextSegments)
        // ESLint has one way from the first expression of a `try` that can throw, and one from its end.
        // Both are too coarse: calls lead there, in #takeSteps.
        if (
          (exit !== undefined || !this.#isTarget.has(after)) &&
          this.#closed.get(segment)?.has(after) !== true
        )
          todo.push([after, 0]);
    }
  }

  #takeSteps(
    segment: Segment,
    from: number,
    follower: Follower<Mark>,
    todo: [Segment, number][],
  ): boolean {
    for (const step of (this.#steps.get(segment) ?? []).slice(from)) {
      if ("mark" in step) {
        if (follower.mark(step.mark)) return false;
        continue;
      }
      const { target, segments } = this.#throwTarget(step.call);
      if (follower.throws?.(step.call, target) !== true) continue;
      if (target === "caller") follower.exit?.({ how: "throw", node: step.call });
      for (const after of segments) todo.push([after, 0]);
    }
    return true;
  }

  /** Whether a segment leaves the function. A `return` in a `try` with a `finally` does not yet. */
  #isOut(segment: Segment, { how }: Exit): boolean {
    const { returnedSegments, thrownSegments } = this.#codePath;
    return how === "end" || returnedSegments.includes(segment) || thrownSegments.includes(segment);
  }

  #throwTarget(call: TSESTree.Node): { target: ThrowTarget; segments: Segment[] } {
    for (let node = call; node !== this.node && node.parent; node = node.parent) {
      const { parent } = node;
      if (parent.type !== "TryStatement" || node === parent.finalizer) continue;
      if (node === parent.block && parent.handler !== null)
        return { target: "catch", segments: this.#targets.get(parent.handler) ?? [] };
      if (parent.finalizer !== null)
        return { target: "finally", segments: this.#targets.get(parent.finalizer) ?? [] };
    }
    return { target: "caller", segments: [] };
  }

  #setTarget(node: TSESTree.Node, segments: Segment[]): void {
    this.#targets.set(node, segments);
    for (const segment of segments) this.#isTarget.add(segment);
  }

  #step(step: Step<Mark>): void {
    for (const segment of this.current) {
      const steps = this.#steps.get(segment);
      if (steps === undefined) this.#steps.set(segment, [step]);
      else steps.push(step);
    }
  }
}
