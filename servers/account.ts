import { execFileSync } from "node:child_process";

/** A user and group id, as `child_process.spawn` takes them. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * The unprivileged account to run PostgreSQL under, or `undefined` when the
 * current one will do. PostgreSQL refuses to run as root, and initdb wants an
 * account with a name, so an invented uid will not do.
 *
 * Throws when we are root and the machine has neither `postgres` nor `nobody`.
 */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ["postgres", "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) };
    } catch {
      // no such user: try the next
    }
  }
  throw new Error(
    "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as. " +
      "Add one, run as another user, or set EIGHTYSIX_TEST_POSTGRES_URL to a server of your own.",
  );
}

function id(flag: "-u" | "-g", name: string): number {
  return Number(
    execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
}
