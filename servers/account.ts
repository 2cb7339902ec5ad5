import { execFileSync } from "node:child_process";

/** A user id and a group id, as `child_process.spawn` takes them. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * Returns the unprivileged account that runs `server`, or `undefined` if the current one can.
 * PostgreSQL, MariaDB, PgBouncer and pgpool-II refuse to run as root. initdb needs an account with a name, so
 * an invented uid does not work. `user` is the account that the server's packages create.
 *
 * Throws if this process is root and the machine has neither `user` nor the account "nobody".
 */
export function unprivilegedAccount(server: string, user: string): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of [user, "nobody"]) {
    try {
      return { uid: id("-u", name), gid: id("-g", name) };
    } catch {
      // There is no such user. Try the next one.
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
