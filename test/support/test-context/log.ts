/** What the suites of this folder write, and src/testing/test-context.test.ts reads. */
import { appendFileSync } from "node:fs";
import { cause, type Context } from "../../../src/index.ts";

/** Writes a line to the file that the variable LOG names. */
export function log(line: string): void {
  appendFileSync(process.env["LOG"] ?? "", `${line}\n`);
}

/** Writes whether `ctx` is live, or why it has ended. */
export function logState(place: string, ctx: Context): void {
  const reason = cause(ctx) as Error | undefined;
  log(`${place}: ${ctx.err() === undefined ? "live" : String(reason?.name)}`);
}
