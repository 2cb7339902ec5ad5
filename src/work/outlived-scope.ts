/**
 * In development mode: work that is still running when a scope inside its request ends as finished,
 * because a promise was not awaited. Work that outlives its request is in left-behind.ts.
 */
import { afterFunc } from "../core/after-func.ts";
import { channel } from "../core/channels.ts";
import { isFinished } from "../core/context-state.ts";
import type { Context } from "../core/context.ts";
import { packageRoot, userStack } from "../core/user-stack.ts";
import { warnOnce } from "../core/warn-once.ts";
import { framesOfProgram, isInFolder, POSITION } from "./caller.ts";
import type { LedgerWork } from "./record.ts";

const outlived = channel("work.outlived-scope");

/**
 * Reports `work` if it is running when `ctx` ends as finished, by the program or by a function of this
 * package that runs tasks. Returns a function that stops waiting for that.
 */
export function watchScope(ctx: Context, work: LedgerWork, site: Error): () => void {
  return afterFunc(ctx, ({ stack = "" }) => {
    if (work.hasEnded || !isFinished(ctx) || !isOfProgram(stack)) return;
    const userSite = userStack(site);
    if (userSite === undefined) return;
    const { kind, what } = work;
    outlived.publish({ work, receipt: work.receipt("running"), stack: userSite });
    warnOnce(
      "EIGHTYSIX_OUTLIVED_SCOPE",
      `${kind} was still running when its scope ended as finished, and is stopped; await it inside the scope (with using: return await), or end the scope with ctx.cancel() if the work is meant to stop there`,
      framesOfProgram(userSite), // the mistake may be that of the caller of a function that queries
      what === undefined ? userSite : `${userSite}\n${what}`,
    );
  });
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
