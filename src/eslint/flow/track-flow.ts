/** Builds the control flow of each function of a file while ESLint walks through it. */
import type { TSESLint, TSESTree } from "@typescript-eslint/utils";
import { FlowPath, type Exit } from "./flow-path.ts";

type Segment = TSESLint.CodePathSegment;

/** What a rule does with the flow of a file. */
export interface FlowVisitor<Mark> {
  /** Whether the rule has something to look for. Is asked once, when the tree is complete. */
  begin(): boolean;
  /** Is called where an expression makes a function, a class field or a static block, on the path around it. */
  closure?(node: TSESTree.Node, path: FlowPath<Mark>): void;
  /** Whether a `switch` without a default has a case for each value. */
  isExhaustive?(node: TSESTree.SwitchStatement): boolean;
  /** Is called at the end of each function, and of the module. */
  end(path: FlowPath<Mark>): void;
}

/** Returns the listeners that build the flow, and what marks the place where ESLint is. */
export function trackFlow<Mark>(visitor: FlowVisitor<Mark>): {
  listeners: TSESLint.RuleListener;
  /** Notes a mark. Does nothing if `begin` returned false. */
  mark(mark: Mark): void;
} {
  let path: FlowPath<Mark> | undefined;
  let isOn = false;
  const start = (segment: Segment): void => void path?.current.add(segment);
  const end = (segment: Segment): void => void path?.current.delete(segment);
  const call = (node: TSESTree.Node): void => path?.noteCall(node);
  const exit =
    (how: Exit["how"]) =>
    (node: TSESTree.Node): void =>
      path?.noteExit({ how, node });
  const codePathListeners = {
    onCodePathStart(codePath: TSESLint.CodePath, node: TSESTree.Node) {
      if (node.type === "Program") isOn = visitor.begin();
      if (!isOn) return;
      if (path !== undefined) visitor.closure?.(node, path);
      path = new FlowPath(codePath, node, path);
    },
    onCodePathEnd() {
      if (path === undefined) return;
      visitor.end(path);
      path = path.upper;
    },
    onCodePathSegmentStart: start,
    onCodePathSegmentEnd: end,
    onUnreachableCodePathSegmentStart: start,
    onUnreachableCodePathSegmentEnd: end,
  };
  return {
    mark: (mark) => path?.mark(mark),
    listeners: {
      ...(codePathListeners as unknown as TSESLint.RuleListener),
      TryStatement: (node) => path?.enterTry(node),
      CatchClause: (node) => path?.enterCatch(node),
      "TryStatement > BlockStatement.finalizer"(block: TSESTree.BlockStatement) {
        path?.enterFinally(block);
      },
      "TryStatement > BlockStatement.finalizer:exit"(block: TSESTree.BlockStatement) {
        path?.leaveFinally(block);
      },
      "SwitchCase > .test:exit": (test: TSESTree.Node) => path?.leaveTest(test),
      "SwitchStatement:exit"(node) {
        if (path !== undefined && visitor.isExhaustive?.(node) === true)
          path.leaveExhaustiveSwitch(node);
      },
      "ReturnStatement:exit": exit("return"),
      "ThrowStatement:exit": exit("throw"),
      ":function:exit": exit("end"),
      "StaticBlock:exit": exit("end"),
      "Program:exit": exit("end"),
      "CallExpression:exit": call,
      "NewExpression:exit": call,
      "AwaitExpression:exit": call,
      "YieldExpression:exit": call,
      "TaggedTemplateExpression:exit": call,
      "ImportExpression:exit": call,
    },
  };
}
