/** The code path of a function as a graph: which place can follow which. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";

export type Segment = TSESLint.CodePathSegment;

const LOOP = /^(?:For|ForIn|ForOf|While|DoWhile)Statement$/;

/** The code path of one function, with what a rule has noted at its places. */
export class Path<Mark> {
  readonly node: TSESTree.Node;
  readonly upper: Path<Mark> | undefined;
  readonly codePath: TSESLint.CodePath;
  /** The segments of the place where ESLint is. */
  readonly current = new Set<Segment>();
  /** Where each segment starts. */
  readonly #starts = new Map<Segment, TSESTree.Node>();
  readonly #marks = new Map<Segment, Mark[]>();

  constructor(codePath: TSESLint.CodePath, node: TSESTree.Node, upper: Path<Mark> | undefined) {
    this.codePath = codePath;
    this.node = node;
    this.upper = upper;
  }

  start(segment: Segment, node: TSESTree.Node): void {
    this.current.add(segment);
    this.#starts.set(segment, node);
  }

  /** Notes something at the place where ESLint is. */
  mark(mark: Mark): void {
    for (const segment of this.current) {
      const marks = this.#marks.get(segment);
      if (marks === undefined) this.#marks.set(segment, [mark]);
      else marks.push(mark);
    }
  }

  marksOf(segment: Segment): readonly Mark[] {
    return this.#marks.get(segment) ?? [];
  }

  /** Whether a segment is the one behind a loop. It starts with the loop itself. */
  isBehind(segment: Segment, loop: TSESTree.Node): boolean {
    return this.#starts.get(segment) === loop;
  }

  /** Whether a segment starts within a node. That behind a loop starts with the loop itself. */
  isWithin(segment: Segment, node: TSESTree.Node): boolean {
    const start = this.#starts.get(segment);
    if (start === undefined || (start === node && LOOP.test(node.type))) return false;
    return node.range[0] <= start.range[0] && start.range[1] <= node.range[1];
  }

  /**
   * Follows the ways that begin with `from`, and returns whether one gets to a segment for which `visit`
   * returns "found". A way goes no further behind a segment for which it returns "stop".
   */
  reaches(from: Iterable<Segment>, visit: (segment: Segment) => "found" | "stop" | "go"): boolean {
    const seen = new Set<Segment>(from);
    for (const segment of seen) {
      const answer = visit(segment);
      if (answer === "found") return true;
      if (answer === "go") for (const next of segment.nextSegments) seen.add(next);
    }
    return false;
  }
}

/** Returns the listeners that build the path of each function. `end` is called when one is complete. */
export function trackPaths<Mark>(end: (path: Path<Mark>) => void): {
  listeners: TSESLint.RuleListener;
  /** Returns the path of the function in which ESLint is. */
  path: () => Path<Mark> | undefined;
} {
  let path: Path<Mark> | undefined;
  const start = (segment: Segment, node: TSESTree.Node): void => path?.start(segment, node);
  const leave = (segment: Segment): void => void path?.current.delete(segment);
  const listeners = {
    onCodePathStart(codePath: TSESLint.CodePath, node: TSESTree.Node) {
      path = new Path(codePath, node, path);
    },
    onCodePathEnd() {
      if (path === undefined) return;
      end(path);
      path = path.upper;
    },
    onCodePathSegmentStart: start,
    onCodePathSegmentEnd: leave,
  };
  // The types of typescript-eslint leave these events out.
  return { listeners: listeners as unknown as TSESLint.RuleListener, path: () => path };
}
