/** The isolation levels of SQL, and options of transactions that are none. */

const LEVELS = ["read uncommitted", "read committed", "repeatable read", "serializable"] as const;

export type Isolation = "read uncommitted" | "read committed" | "repeatable read" | "serializable";

/** As it stands in SQL. Throws a TypeError for anything else. */
export function isolationLevel(isolation: Isolation): string {
  if (!LEVELS.includes(isolation)) {
    throw new TypeError(`isolation is one of ${LEVELS.join(", ")}, got ${isolation as string}`);
  }
  return `ISOLATION LEVEL ${isolation.toUpperCase()}`;
}

/** Throws a TypeError if `unknown`, what is left of the options, is not empty. `known` for its words. */
export function needNoMore(unknown: object, known: string): void {
  for (const name of Object.keys(unknown)) {
    throw new TypeError(`transaction has no option ${name}; it has ${known}`);
  }
}
