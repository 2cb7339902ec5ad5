/** The work that is still running when its request is finished. */
import { channel } from "../core/channels.ts";
import type { Context } from "../core/context.ts";
import { warnOnce } from "../core/warn-once.ts";
import { framesOfProgram, userStack } from "./caller.ts";
import { describeKind, howToEnd } from "./describe-kind.ts";
import { ledgerOf } from "./ledger.ts";

const leftBehind = channel("work.left-behind");

/** The most characters of a description that a warning shows. */
const LONGEST = 200;

/**
 * Calls `finish`, which ends the context of a request as finished, and reports the work that was
 * running under it: on the channel `eightysix:work.left-behind`, and as a process warning, once for
 * each call site. Outside development mode, work of one kind and description has one call site.
 */
export function finishRequest(ctx: Context, finish: () => void): void {
  const running = ledgerOf(ctx)?.running ?? [];
  finish(); // may end work at once
  for (const work of running) {
    const receipt = work.receipt("running");
    if (receipt?.reason !== "finished") continue; // it has a longer life, or was stopped before
    const { kind, what = "" } = work;
    const stack = work.site && userStack(work.site);
    leftBehind.publish({ work, receipt, stack });
    const text = what.length > LONGEST ? `${what.slice(0, LONGEST)}…` : what;
    warnOnce(
      "EIGHTYSIX_LEFT_BEHIND",
      `${describeKind(kind)} was still running when its request was finished, and is stopped; ${howToEnd(kind)} before you respond, or start it with detach(ctx, budgetMs, fn)`,
      stack === undefined ? text : framesOfProgram(stack),
      [stack, text].filter((line) => line !== undefined && line !== "").join("\n"),
    );
  }
}
