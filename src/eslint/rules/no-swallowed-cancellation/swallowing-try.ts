/** What follows when the `catch` of a `try` swallows the error of work whose context has ended. */
import type { TSESTree } from "@typescript-eslint/utils";
import { asksForEnd, nameOf, olderThan, signalOfCall } from "./cancellation.ts";
import type { RuleContext } from "../../create-rule.ts";
import { isContinuation } from "../../hand-on.ts";
import type { Path, Segment } from "../../flow/segments.ts";
import { caughtNames, type CaughtNames } from "./caught-names.ts";
import { variableOf } from "../../references.ts";
import { ancestorsOf, isFunction } from "../../source-tree.ts";
import { isForOneError, isLoop, testAround, type Loop, type Test } from "./tests-around.ts";
import { nodesIn } from "../../walk.ts";
import { contextOfCall } from "../../work.ts";

/** The names of flags that end a loop from outside. */
const FLAGS =
  /abort|cancel|clos|stop|shut|dispos|destroy|terminat|kill|quit|exit|end|finish|done|running|active|alive|connected|enabled/i;

/** The names of functions that may throw the error that they get. */
const JUDGES =
  /^(?:assert|back_?off|can|check|classify|ensure|fail|handle|may|on[A-Z]|raise|rethrow|retry|should|throw|wait)/;

/** A `try` whose `catch` may swallow that a context or a signal has ended. */
export class SwallowingTry {
  readonly clause: TSESTree.CatchClause;
  readonly #start: readonly Segment[];
  readonly #path: Path<TSESTree.Node>;
  readonly #context: RuleContext;
  #names: CaughtNames | undefined;

  constructor(
    clause: TSESTree.CatchClause,
    start: readonly Segment[],
    path: Path<TSESTree.Node>,
    context: RuleContext,
  ) {
    this.clause = clause;
    this.#start = start;
    this.#path = path;
    this.#context = context;
  }

  /**
   * Returns the context or the signal for which a loop tries again after it has ended. Returns
   * `undefined` if every way from the `catch` back to the work asks before.
   */
  triesAgain(): TSESTree.Node | undefined {
    let work: TSESTree.Node[] | undefined;
    for (const loop of this.#loops()) {
      work ??= this.#work();
      if (work.length === 0) return undefined;
      const ended = first(work, (one) => this.#endedBefore(loop, one));
      if (ended === undefined) continue;
      const targets = new Set(work);
      const isAgain = this.#path.reaches(this.#start, (segment) => {
        if (!this.#path.isWithin(segment, loop)) return "stop";
        for (const node of this.#path.marksOf(segment)) {
          if (targets.has(node)) return "found";
          if (this.#asks(node) || this.#leavesBy(node, segment, loop, targets)) return "stop";
        }
        return "go";
      });
      if (isAgain) return ended;
    }
    return undefined;
  }

  /**
   * Returns the context or the signal whose end the function hides from its caller: the `catch` does not
   * leave the function by itself, and the function ends without an error.
   */
  goesOn(): TSESTree.Node | undefined {
    if (this.#path.node.type === "Program") return undefined; // it has no caller
    const work = this.#work();
    const ended = first(work, (one) => this.#endedBefore(this.clause.parent, one));
    if (ended === undefined) return undefined;
    const { returnedSegments } = this.#path.codePath;
    const loops = this.#throwingLoops();
    const isHidden = this.#path.reaches(this.#start, (segment) => {
      if (loops.some((loop) => this.#path.isBehind(segment, loop))) return "stop";
      for (const node of this.#path.marksOf(segment))
        if (this.#asks(node) || this.#leaves(node)) return "stop";
      return returnedSegments.includes(segment) ? "found" : "go";
    });
    return isHidden ? ended : undefined;
  }

  /** Returns the loops of the function around the `try`, the nearest first. */
  *#loops(): Generator<Loop> {
    for (let at: TSESTree.Node | undefined = this.clause.parent; at && at !== this.#path.node;) {
      if (isLoop(at) && !(at.type === "ForOfStatement" && at.await)) yield at;
      at = at.parent;
    }
  }

  /**
   * Returns the `for await` loops around the `try` that fail by themselves when the context ends,
   * because their iterable got it: `for await (const tick of interval(ctx, 5))`.
   */
  #throwingLoops(): TSESTree.ForOfStatement[] {
    const around = ancestorsOf(this.clause);
    return around
      .slice(0, around.indexOf(this.#path.node))
      .filter((at) => at.type === "ForOfStatement")
      .filter(
        (at) =>
          at.await &&
          this.#contextIn(initOf(at.right, this.#context) ?? at.right, at) !== undefined,
      );
  }

  /** Returns what the `try` awaits and no inner `try` catches. */
  #work(): TSESTree.Node[] {
    const { block } = this.clause.parent;
    const found: TSESTree.Node[] = [];
    for (const node of nodesIn(block, this.#context.sourceCode)) {
      const isWait =
        (node.type === "AwaitExpression" && !isCleanup(node.argument)) ||
        (node.type === "ForOfStatement" && node.await);
      if (isWait && this.#isDirectlyIn(block, node)) found.push(node);
    }
    return found.sort((a, b) => a.range[0] - b.range[0]);
  }

  #isDirectlyIn(block: TSESTree.BlockStatement, node: TSESTree.Node): boolean {
    let at: TSESTree.Node = node;
    while (at !== block) {
      const { parent }: { parent?: TSESTree.Node } = at;
      if (!parent || isFunction(at)) return false;
      if (parent.type === "TryStatement" && parent.handler !== null && parent.block === at)
        return false;
      at = parent;
    }
    return true;
  }

  /** Returns the context or the signal of a wait that is older than `place`. */
  #endedBefore(place: TSESTree.Node, wait: TSESTree.Node): TSESTree.Node | undefined {
    const what =
      wait.type === "AwaitExpression"
        ? wait.argument
        : wait.type === "ForOfStatement"
          ? wait.right
          : wait;
    return this.#contextIn(what, place);
  }

  /** Returns the context or the signal of a call in an expression that is older than `place`. */
  #contextIn(what: TSESTree.Node, place: TSESTree.Node): TSESTree.Node | undefined {
    for (const node of nodesIn(what, this.#context.sourceCode)) {
      if (node.type !== "CallExpression") continue;
      const given = contextOfCall(node, this.#context) ?? signalOfCall(node, this.#context);
      const found = given && olderThan(place, given, this.#context);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Whether a node asks for the end. What the `try` itself throws, its `catch` swallows. */
  #asks(node: TSESTree.Node): boolean {
    if (node.type === "CallExpression" && this.#judgesError(node)) return true;
    const answer = asksForEnd(node, this.#context);
    if (answer !== "throws") return answer === "asks";
    const { block } = this.clause.parent;
    return node.range[0] < block.range[0] || node.range[1] > block.range[1];
  }

  /** Whether a call gets the error and may throw it again, as far as its name tells. */
  #judgesError(call: TSESTree.CallExpression): boolean {
    if (!JUDGES.test(nameOf(call.callee))) return false;
    const { errors } = this.#caughtNames();
    return call.arguments.some((one) => one.type === "Identifier" && errors.has(one.name));
  }

  /**
   * Whether a node is part of a test that leaves the loop: one of the error, or of a flag that the loop
   * does not set itself. A test for one kind of error, such as `err instanceof NotFound`, counts only
   * if all other errors leave.
   */
  #leavesBy(
    node: TSESTree.Node,
    segment: Segment,
    loop: Loop,
    work: ReadonlySet<TSESTree.Node>,
  ): boolean {
    if (node.type !== "Identifier") return false;
    const { errors, set } = this.#caughtNames();
    const isError = errors.has(node.name);
    const isFlag = FLAGS.test(node.name) && !this.#isWritten(node.name, loop);
    if (!isError && !set.has(node.name) && !isFlag) return false;
    const test = testAround(node);
    if (test === undefined) return false;
    if (test.type === "SwitchStatement") return true;
    // `err instanceof Error && err.name === "AbortError"` asks as a whole.
    if (isError && this.#containsQuestion(test)) return true;
    const leaving = segment.nextSegments.filter((next) => !this.#canTryAgain(next, loop, work));
    if (!isError || test.type !== "IfStatement" || !isForOneError(test.test))
      return leaving.length > 0;
    return leaving.some((next) => !this.#path.isWithin(next, test.consequent));
  }

  #containsQuestion(test: Exclude<Test, TSESTree.SwitchStatement>): boolean {
    const condition = test.type === "LogicalExpression" ? test : test.test;
    if (!condition) return false;
    return [...nodesIn(condition, this.#context.sourceCode)].some((node) => this.#asks(node));
  }

  #caughtNames(): CaughtNames {
    return (this.#names ??= caughtNames(this.clause, this.#context.sourceCode));
  }

  #canTryAgain(from: Segment, loop: Loop, work: ReadonlySet<TSESTree.Node>): boolean {
    return this.#path.reaches([from], (segment) => {
      if (!this.#path.isWithin(segment, loop)) return "stop";
      return this.#path.marksOf(segment).some((node) => work.has(node)) ? "found" : "go";
    });
  }

  #isWritten(name: string, loop: Loop): boolean {
    for (const node of nodesIn(loop, this.#context.sourceCode)) {
      const target =
        node.type === "AssignmentExpression"
          ? node.left
          : node.type === "UpdateExpression"
            ? node.argument
            : node.type === "VariableDeclarator"
              ? node.id
              : undefined;
      if (target === undefined) continue;
      for (const part of nodesIn(target, this.#context.sourceCode))
        if (part.type === "Identifier" && part.name === name) return true;
    }
    return false;
  }

  /** Whether a node leaves the `catch` on purpose, or hands the error on. */
  #leaves(node: TSESTree.Node): boolean {
    const { range } = this.clause;
    if (node.range[0] < range[0] || node.range[1] > range[1]) return false;
    switch (node.type) {
      case "BreakStatement":
      case "ContinueStatement":
      case "ReturnStatement":
        return true;
      case "CallExpression":
        return isContinuation(node.callee, this.clause, this.#context.sourceCode);
      default:
        return false;
    }
  }
}

/** Returns what a variable was declared with. */
function initOf(node: TSESTree.Node, { sourceCode }: RuleContext): TSESTree.Node | undefined {
  const definition = node.type === "Identifier" && variableOf(node, sourceCode)?.defs[0];
  if (!definition || definition.node.type !== "VariableDeclarator") return undefined;
  return definition.node.init ?? undefined;
}

/** Whether an expression closes or returns something, which must happen to each item of a loop. */
function isCleanup(node: TSESTree.Node): boolean {
  return node.type === "CallExpression" && CLEANS.test(nameOf(node.callee));
}

const CLEANS =
  /^(?:abort|cancel|clean|clear|close|destroy|disconnect|dispose|end|free|kill|release|remove|rollback|shutdown|stop|terminate|unlock|unsubscribe)/i;

function first<T, R>(items: Iterable<T>, fn: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = fn(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
