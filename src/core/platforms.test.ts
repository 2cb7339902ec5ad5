/** The root runs on platforms other than Node, and under require(). */
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { transformSync } from "esbuild";
import { expect, test } from "vitest";
import { bundle, runProgram } from "../../test/support.ts";

test("the root entry point runs with only the globals that browsers, Deno, Bun and Workers have too", async () => {
  const text = readFileSync(await bundle(), "utf8");
  const { code } = transformSync(text, { format: "iife", globalName: "eightysix" });
  const globals = { AbortController, performance, setTimeout, clearTimeout, console };
  const world = createContext({ ...globals });
  const result: unknown = runInContext(
    `${code}
    const { background, withTimeout, withCancel, sleep, all, afterFunc, checkpoint, developmentMode } = eightysix;
    (async () => {
      developmentMode(true);
      const ctx = withTimeout(withCancel(background()), 5);
      let after = 0;
      afterFunc(ctx, () => after++);
      await checkpoint(background());
      const err = await all(ctx, [(ctx) => sleep(ctx, 60_000)]).catch((err) => err);
      return JSON.stringify([typeof process, err.message, ctx.signal.aborted, String(background()), after]);
    })()`,
    world,
  );
  expect(JSON.parse(await (result as Promise<string>))).toEqual([
    "undefined",
    "context deadline exceeded",
    true,
    "context.Background",
    1,
  ]);
});

test("the root entry point can be loaded with require()", async () => {
  const { stdout, code, stderr } = await runProgram(
    `const { background, withCancel } = require(BUNDLE);
     const ctx = withCancel(background());
     ctx.cancel();
     console.log(ctx.err().message);`,
    { type: "commonjs", flags: ["--no-warnings"] },
  );
  expect([stdout, code, stderr]).toEqual(["context canceled\n", 0, ""]);
});

test("ends are published on eightysix:context.done, and no subscriber runs inside cancel() or err()", async () => {
  const { stdout } = await runProgram(`
    import { channel } from "node:diagnostics_channel";
    import { background, withCancel, withTimeout } from BUNDLE;
    const heard = [];
    channel("eightysix:context.done").subscribe(({ kind, cause, error }) => heard.push([kind, cause, error.message]));
    const parent = withCancel(background());
    const child = withCancel(parent);
    const late = withTimeout(parent, 0);
    withCancel(late).err();
    parent.cancel("why");
    console.log(heard.length);
    child.err();
    { const done = withCancel(background()); done[Symbol.dispose ?? Symbol.for("Symbol.dispose")]?.(); }
    await null;
    await null;
    console.log(JSON.stringify(heard));
  `);
  const [during, heard] = stdout.trim().split("\n");
  expect(during).toBe("0"); // a subscriber never runs inside cancel() or err()
  expect((JSON.parse(heard ?? "") as unknown[]).slice(0, 2)).toEqual([
    ["deadline", null, "context deadline exceeded"],
    ["canceled", "why", "context canceled"],
  ]);
});
