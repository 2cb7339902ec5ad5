/** Which commands of Redis block. */

/**
 * Commands that hold their connection until something happens. WAIT and WAITAOF are not in the list,
 * because they ask about earlier writes of the connection that they are sent on.
 */
const BLOCKING = new Set([
  "BLPOP",
  "BRPOP",
  "BRPOPLPUSH",
  "BLMOVE",
  "BLMOVEM",
  "BLMPOP",
  "BZPOPMIN",
  "BZPOPMAX",
  "BZMPOP",
]);
const BLOCKING_WITH_OPTION = new Set(["XREAD", "XREADGROUP"]);

/**
 * Returns whether the command `name` blocks. `hasBlockOption` returns whether this call has a
 * BLOCK. It is called only for commands that block only with that option.
 */
export function isBlocking(name: string, hasBlockOption: () => boolean): boolean {
  const upper = name.toUpperCase();
  return BLOCKING.has(upper) || (BLOCKING_WITH_OPTION.has(upper) && hasBlockOption());
}

/** Returns whether there is a BLOCK among the arguments of XREAD or XREADGROUP on the wire. */
export function hasBlockArgument(args: readonly unknown[]): boolean {
  for (const arg of args) {
    const word = String(arg).toUpperCase();
    if (word === "BLOCK") return true;
    if (word === "STREAMS") return false; // names of streams follow
  }
  return false;
}
