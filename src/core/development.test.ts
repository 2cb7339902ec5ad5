import { afterEach, describe, expect, test } from "vitest";
import { inUserCode } from "../../test/support/user-code.ts";
import { collected, runProgram, turn } from "../../test/support.ts";
import {
  afterFunc,
  background,
  developmentMode,
  withCancel,
  withSignal,
  withTimeout,
  type DroppedContext,
} from "../index.ts";

afterEach(() => {
  developmentMode(false);
});

describe("development mode", () => {
  /** The number of garbage collections after which a report would have come. */
  const FEW = 8;

  async function droppedBy(fn: () => void, rounds?: number): Promise<DroppedContext[]> {
    const dropped: DroppedContext[] = [];
    developmentMode(true, { onDropped: (d) => dropped.push(d) });
    inUserCode(fn);
    await collected(() => dropped.length > 0, rounds);
    return dropped;
  }

  test("reports a watched context that is dropped, with the stack that created it", async () => {
    const parent = withCancel(background());
    const dropped = await droppedBy(function forgetful() {
      void withTimeout(parent, 1e6).signal;
    });
    expect(dropped).toHaveLength(1);
    expect(dropped[0]?.message).toContain("dropped without being canceled; use `using`");
    expect(dropped[0]?.stack).toMatch(/^ +at inUserCode/);
  });

  test("reports a dropped context that listens from birth", async () => {
    const { signal } = new AbortController();
    const dropped = await droppedBy(() => void withSignal(background(), signal));
    expect(dropped).toHaveLength(1);
  });

  test("does not report a dropped context that is unwatched, or has ended, or whose callback was removed", async () => {
    const dropped = await droppedBy(() => {
      withCancel(background()).err();
      afterFunc(withTimeout(background(), 1e6), () => undefined)();
      const ended = withCancel(background());
      void ended.signal;
      ended.cancel();
    }, FEW);
    expect(dropped).toEqual([]);
  });

  test("does not report a dropped context while a child of it is in use", async () => {
    let child: unknown;
    const dropped = await droppedBy(() => {
      const ctx = withCancel(background());
      void ctx.signal;
      child = withCancel(ctx);
    }, FEW);
    expect(dropped).toEqual([]);
    expect(child).toBeDefined();
  });

  test("gives an error the stack of the code that canceled", () => {
    developmentMode(true);
    const ctx = withCancel(background());
    function culprit(): void {
      ctx.cancel();
    }
    culprit();
    expect(ctx.err()?.stack).toMatch(/^AbortError: context canceled\n[^]*culprit/);
    developmentMode(false);
    const other = withCancel(background());
    other.cancel();
    expect(other.err()?.stack ?? "").not.toContain("at ");
  });

  test("registers nothing while it is off, and forgets all contexts when it is turned off", async () => {
    const dropped = await droppedBy(() => {
      void withCancel(background()).signal;
      developmentMode(false, { onDropped: (d) => dropped.push(d) });
      void withCancel(background()).signal;
    }, FEW);
    await turn();
    expect(dropped).toEqual([]);
  });

  test("warns of a dropped context once for each call site, and calls onDropped for each", async () => {
    const program = `
      import { background, developmentMode, withCancel } from BUNDLE;
      let dropped = 0;
      if (process.env.COUNT) developmentMode(true, { onDropped: () => dropped++ });
      for (let i = 0; i < 3; i++) withCancel(background()).signal;
      withCancel(background()).signal;
      for (let i = 0; i < 50; i++) { gc(); await new Promise((r) => setTimeout(r, 2)); }
      if (process.env.COUNT) console.log(dropped);
    `;
    const flags = ["--expose-gc"];
    const warned = await runProgram(program, { flags, env: { EIGHTYSIX_DEV: "1" } });
    expect(warned.stderr.match(/EIGHTYSIX_DROPPED/g)).toHaveLength(2);
    const counted = await runProgram(program, { flags, env: { COUNT: "1" } });
    expect(counted).toMatchObject({ stdout: "4\n", stderr: "" });
  });

  test("is turned on by EIGHTYSIX_DEV=1 and then emits a process warning", async () => {
    const program = `
      import { background, withCancel } from BUNDLE;
      (function forgetful() { withCancel(background()).signal; })();
      for (let i = 0; i < 50; i++) { gc(); await new Promise((r) => setTimeout(r, 2)); }
    `;
    const flags = ["--expose-gc"];
    const on = await runProgram(program, { flags, env: { EIGHTYSIX_DEV: "1" } });
    expect(on.stderr).toContain("[EIGHTYSIX_DROPPED] ContextWarning: a context was dropped");
    expect(on.stderr).toContain("forgetful");
    expect((await runProgram(program, { flags })).stderr).toBe("");
  });
});
