/** What a `catch` makes of the error that it gets. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { nodesIn } from "../../walk.ts";

/** Names of variables in a `catch`. */
export interface CaughtNames {
  /** The error, and what is made from it. */
  errors: ReadonlySet<string>;
  /** What the `catch` sets, such as a flag that ends the loop. A counter is not set, but counted. */
  set: ReadonlySet<string>;
}

type SourceCode = Readonly<TSESLint.SourceCode>;

export function caughtNames(clause: TSESTree.CatchClause, sourceCode: SourceCode): CaughtNames {
  const errors = new Set<string>();
  const set = new Set<string>();
  const add = (names: Set<string>, pattern: TSESTree.Node): void => {
    for (const name of namesIn(pattern, sourceCode)) names.add(name);
  };
  const comesFrom = (names: ReadonlySet<string>, value: TSESTree.Node): boolean =>
    namesIn(value, sourceCode).some((name) => names.has(name));
  if (clause.param) add(errors, clause.param);
  // Until no further variable is found, because the nodes come in no order.
  for (let size = -1; size !== errors.size;) {
    size = errors.size;
    for (const node of nodesIn(clause.body, sourceCode)) {
      if (node.type === "VariableDeclarator" && node.init && comesFrom(errors, node.init))
        add(errors, node.id);
      if (node.type !== "AssignmentExpression" || node.operator !== "=") continue;
      if (comesFrom(errors, node.right)) add(errors, node.left);
      // `n = n + 1` counts.
      const isCounted = comesFrom(new Set(namesIn(node.left, sourceCode)), node.right);
      if (!isCounted) add(set, node.left);
    }
  }
  return { errors, set };
}

function namesIn(node: TSESTree.Node, sourceCode: SourceCode): string[] {
  const names: string[] = [];
  for (const one of nodesIn(node, sourceCode)) if (one.type === "Identifier") names.push(one.name);
  return names;
}
