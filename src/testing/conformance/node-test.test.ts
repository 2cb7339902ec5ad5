/** The kit needs no other runner than Node's own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, inject, test, vi } from "vitest";
import type { Breach } from "../../../test/support/toy/breaches.ts";

vi.setConfig({ testTimeout: 120_000 });

const program = fileURLToPath(new URL("../../../test/support/toy/node-test.ts", import.meta.url));

async function runNodeTest(breach?: Breach): Promise<{ status: unknown; output: string }> {
  const outfile = join(
    mkdtempSync(join(inject("temporaryDirectory"), "node-test-")),
    "toy.test.mjs",
  );
  await build({
    ...{ entryPoints: [program], outfile, bundle: true, format: "esm", platform: "node" },
    target: "node20",
    logLevel: "error",
  });
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env["NODE_TEST_CONTEXT"];
  if (breach !== undefined) env["TOY_BREACH"] = breach;
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", outfile], { env });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, "close")) as [unknown];
  return { status, output };
}

test("node:test runs the kit, and shows what is skipped", async () => {
  const { status, output } = await runNodeTest();
  expect(output).toMatch(/# fail 0\n/);
  expect(output).toMatch(/hits no other operation \(not tested: .*isStopRequest.*# SKIP/);
  expect(status).toBe(0);
});

test("node:test fails if an adapter breaks the protocol", async () => {
  const { status, output } = await runNodeTest("rejects with an error of its own");
  expect(output).toMatch(/must reject with ctx\.err\(\), the same object/);
  expect(status).toBe(1);
});
