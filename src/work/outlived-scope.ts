/**
 * In development mode: work that is still running when a scope inside its request ends as finished,
 * because a promise was not awaited. Work that outlives its request is in left-behind.ts.
 */
import { afterFunc } from "../core/after-func.ts";
import { channel } from "../core/channels.ts";
import { isFinished } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { packageRoot, recordStack } from "../core/user-stack.ts";
import { warnOnce } from "../core/warn-once.ts";
import { framesOfProgram, isInFolder, POSITION, userStack } from "./caller.ts";
import { describeKind, howToEnd } from "./describe-kind.ts";
import type { LedgerWork } from "./record.ts";
import type { Receipt } from "./types.ts";

const outlived = channel("work.outlived-scope");

/**
 * Reports `work` if it is running when `ctx` ends as finished, by the program or by a function of this
 * package that runs tasks. Call the returned function when the work ends. The work also counts as
 * running at the end of `ctx` if that end has stopped it before this could be looked at.
 */
export function watchScope(
  ctx: Context,
  work: LedgerWork,
  site: Error,
): (state: "stopped" | "abandoned") => void {
  /** "running" unless the work has ended before the callback below ran. */
  let state: Receipt["state"] = "running";
  let wasStopped = false;
  let hasRun = false;
  const stop = afterFunc(ctx, ({ stack = "" }) => {
    hasRun = true;
    if (work.hasEnded && !wasStopped) return;
    if (!isFinished(ctx) || !isOfProgram(stack)) return;
    const userSite = userStack(site);
    if (userSite === undefined) return;
    const { kind, what } = work;
    outlived.publish({ work, receipt: work.receipt(state), stack: userSite });
    warnOnce(
      "EIGHTYSIX_OUTLIVED_SCOPE",
      `${describeKind(kind)} was still running when the block or function that owns its context had ended, and is stopped; ${howToEnd(kind)} there (with using: return await), or end the context with ctx.cancel() if the work is meant to stop there`,
      framesOfProgram(userSite), // the mistake may be that of the caller of a function that queries
      what === undefined ? userSite : `${userSite}\n${what}`,
    );
  });
  return (endState) => {
    if (stop() || hasRun) return;
    state = endState;
    wasStopped = isEndedByPackage();
  };
}

/**
 * Returns whether the code that ends work at the moment proves that the work was running until now. An
 * adapter does: it ends its work before its caller continues. So does the end of a context, which runs
 * callbacks and abort listeners. A program may end its scope first and its own work right after that.
 */
function isEndedByPackage(): boolean {
  const frames = (recordStack().stack ?? "").split("\n").filter((frame) => POSITION.test(frame));
  const enderAt = frames.findIndex(
    (frame) => !isInFolder(frame, "work") && !frame.includes("recordStack"),
  );
  const [ender = "", ...above] = frames.slice(enderAt);
  const root = packageRoot();
  if (root === "" || enderAt < 0) return false;
  return ender.includes(root) || above.some((frame) => isInFolder(frame, "core"));
}

/**
 * Returns whether the program has ended the scope, or a function that runs tasks, such as `group`. The
 * end of a request is not meant, and neither are the scopes that adapters use inside a call.
 */
function isOfProgram(stack: string): boolean {
  const frames = stack.split("\n").filter((frame) => POSITION.test(frame));
  const ender = frames.find((frame) => !isInFolder(frame, "core"));
  const root = packageRoot();
  if (ender === undefined || root === "") return false;
  return isInFolder(ender, "tasks") || !ender.includes(root);
}
