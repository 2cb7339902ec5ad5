/**
 * A directory for the files of a test run. Worker processes are killed at the end of a run, so they
 * cannot remove their files themselves.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    temporaryDirectory: string;
  }
}

export default function setUp(project: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), "eightysix-tests-"));
  project.provide("temporaryDirectory", directory);
  return () => rmSync(directory, { recursive: true, force: true });
}
