import { describe, expect, test } from "vitest";
import { inUserCode } from "../../test/support/user-code.ts";
import { collected, runProgram } from "../../test/support.ts";
import {
  background,
  developmentMode,
  shield,
  withCancel,
  within,
  type Context,
  type DroppedContext,
} from "../index.ts";
import { recordStack, userStack } from "./user-stack.ts";

const first = (stack: string | undefined): string => stack?.split("\n")[0] ?? "";

describe("the stack of the program", () => {
  test("begins outside this package, however deep the call was", () => {
    let error: Error | undefined;
    const deep = (n: number): void => {
      if (n > 0) deep(n - 1);
      else error = recordStack();
    };
    inUserCode(() => deep(30));
    expect(error && first(userStack(error))).toContain("user-code.ts");
    expect(Error.stackTraceLimit).toBeLessThan(50);
  });

  test("is missing if no frame is outside this package", () => {
    const error = new Error("x");
    error.stack = `Error: x\n    at f (${import.meta.url}:1:2)\n    at new Promise (<anonymous>)\n    at node:internal/x:1:2`;
    expect(userStack(error)).toBeUndefined();
    error.stack = "";
    expect(userStack(error)).toBeUndefined();
  });

  test("survives a limit of frames that cannot be changed", async () => {
    const program = `
      Object.freeze(Error);
      const { background, developmentMode, withCancel } = await import(BUNDLE);
      developmentMode(true);
      withCancel(background()).cancel();
      console.log("fine");
    `;
    expect(await runProgram(program)).toMatchObject({ code: 0, stdout: "fine\n" });
  });

  const never = (ctx: Context) => (void ctx.signal, new Promise(() => undefined));

  test.each<[string, () => unknown]>([
    ["withCancel", () => withCancel(background()).signal],
    ["within", () => within(background(), 1e6, never)],
    ["shield", () => shield(background(), 1e6, never)],
  ])("is that of a dropped context of %s", async (_, create) => {
    const dropped: DroppedContext[] = [];
    developmentMode(true, { onDropped: (one) => dropped.push(one) });
    try {
      inUserCode(() => void create());
      await collected(() => dropped.length > 0);
    } finally {
      developmentMode(false);
    }
    expect(dropped.map(({ stack }) => first(stack))).toEqual([
      expect.stringContaining("user-code.ts"),
    ]);
  });
});
