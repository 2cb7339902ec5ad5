import type { Context } from "./context.ts";
import { scopeOf } from "./foreign.ts";

/**
 * Returns whether `ctx` is `ancestor`, or was derived from it so that it ends with it. Of a context
 * with several parents, only the first counts.
 */
export function descendsFrom(ctx: Context, ancestor: Context): boolean {
  if (ctx === ancestor) return true;
  const top = scopeOf(ancestor);
  if (top === undefined) return false;
  let scope = scopeOf(ctx);
  while (scope !== undefined && scope !== top) scope = scope.parent;
  return scope === top;
}
