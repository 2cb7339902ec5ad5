import { execFileSync } from "node:child_process";

/** A user and group id, as `child_process.spawn` takes them. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * The unprivileged account to run `server` under, or `undefined` when the current one will do.
 * PostgreSQL, MariaDB and PgBouncer refuse to run as root, and initdb wants an account with a
 * name, so an invented uid will not do. `user` is the one that its packages make.
 *
 * Throws when we are root and the machine has neither `user` nor `nobody`.
 */
export function unprivilegedAccount(server: string, user: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of [user, "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) };
    } catch {
      // no such user: try the next
    }
  }
  throw new Error(
    `${server} is not run as root, and there is no user \`${user}\` or \`nobody\` to run it as. ` +
      "Add one, or run as another user.",
  );
}

function id(flag: "-u" | "-g", name: string): number {
  return Number(
    execFileSync("id", [flag, name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }),
  );
}
