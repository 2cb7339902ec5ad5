import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Account } from "./account.ts";

/**
 * A small `sh` process, in a session of its own, that owns one temporary
 * directory and the server running in it, and holds the reading end of a pipe
 * whose writing end is ours. The pipe is the lease: when it closes, the
 * guardian stops the server and removes the directory.
 *
 * One mechanism therefore serves every way to end. The kernel closes the pipe
 * after a normal exit, an uncaught exception, SIGINT, SIGTERM and SIGKILL alike,
 * so nothing here needs a signal or exit handler (which SIGKILL would skip, and
 * which would change how the host program dies).
 */
export interface Guardian {
  /** The temporary directory; owned by the server's account, mode 0700. */
  readonly directory: string;
  /** Runs the server: `initdb` once, then `postgres` with `settings`. */
  launch(options: Launch): void;
  /** Resolves with the exit status if the server ends by itself; else never. */
  readonly serverEnded: Promise<string>;
  /** Ends the lease. Does not wait; calling it again does nothing. */
  release(): void;
  /** Resolves when server, directory and guardian are gone. Never rejects. */
  readonly gone: Promise<void>;
  /** Whether the guardian keeps this process's event loop alive; at first it does. */
  ref(wanted: boolean): void;
}

export interface Launch {
  /** Directory of `initdb` and `postgres`. */
  bin: string;
  port: number;
  password: string;
}

// The arguments are $1 = parent of the temporary directory (/tmp takes its place
// when the account may not write there: root's TMPDIR can be private), then the
// server's own flags. Signals reach the whole group (`kill 0`), which leaves out nothing
// that was forked meanwhile; the traps keep the guardian itself alive.
//
// QUIT is PostgreSQL's immediate shutdown: the data is about to be deleted, and
// it stops a backend in the middle of a computation too. QUIT and INT are
// ignored in background jobs of sh, but both programs install their own handlers.
//
// `rm` is repeated because a process forked by an interrupted initdb may
// outlive it for a moment and write into the directory being removed.
const script = `
umask 077
trap '' HUP INT QUIT TERM
dir=$(mktemp -d "$1/eightysix-XXXXXX" 2>/dev/null || mktemp -d /tmp/eightysix-XXXXXX) || exit 1
shift
printf '%s\\n' "$dir"
if read -r bin && read -r port && read -r password; then
  printf '%s\\n' "$password" >"$dir/password"
  {
    "$bin/initdb" -D "$dir/data" -U postgres -A scram-sha-256 --pwfile="$dir/password" \\
      -c scram_iterations=1 -E UTF8 --no-locale --no-sync --no-instructions &&
    "$bin/postgres" -D "$dir/data" -p "$port" "$@"
    printf 'ended %s\\n' "$?" >&3
  } 3>&1 >"$dir/log" 2>&1 </dev/null &
  while read -r _; do :; done
  kill -QUIT 0
  wait
fi
tries=0
until rm -rf "$dir" 2>/dev/null || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
`;

/**
 * Starts a guardian with an empty temporary directory under `parent` or, if the
 * account may not write there, under /tmp.
 * Rejects when `sh` or `mktemp` fails, or when this process may not switch to
 * `account`; nothing is left behind then.
 */
export async function startGuardian(
  parent: string,
  settings: readonly string[],
  account: Account | undefined,
): Promise<Guardian> {
  const child = spawn("/bin/sh", ["-c", script, "eightysix-guardian", parent, ...settings], {
    ...account,
    detached: true, // its own process group: Ctrl-C in our terminal must not reach it
    stdio: ["pipe", "pipe", "pipe"],
    cwd: "/", // ours may be unreadable for the account
    env: environment(),
  });
  const { stdin, stdout, stderr } = child;
  stdin.on("error", () => undefined); // EPIPE: it is gone, and `gone` says so
  let complaint = "";
  stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));

  const gone = new Promise<void>((resolve) => {
    child.once("close", () => resolve());
  });
  const lines = createInterface({ input: stdout });
  const directory = await firstLine(child, lines, () => complaint);
  const serverEnded = new Promise<string>((resolve) => {
    lines.on("line", (line) => resolve(line.replace(/^ended /, "")));
  });
  return {
    directory,
    serverEnded,
    gone,
    launch: ({ bin, port, password }) => void stdin.write(`${bin}\n${port}\n${password}\n`),
    release: () => void stdin.end(),
    ref: (wanted) => {
      for (const handle of [child, stdin, stdout, stderr] as unknown as Handle[]) {
        if (wanted) handle.ref();
        else handle.unref();
      }
    },
  };
}

// Pipes of a child process are sockets, which the types do not say.
type Handle = Pick<ChildProcess, "ref" | "unref">;

function firstLine(
  child: ChildProcess,
  lines: ReturnType<typeof createInterface>,
  complaint: () => string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once("line", resolve);
    child.once("error", reject);
    child.once("close", (code) => {
      reject(
        new Error(`the guardian of the temporary directory ended (${code}): ${complaint().trim()}`),
      );
    });
  });
}

// TZ: without it initdb compares every time zone file with the system clock.
function environment(): NodeJS.ProcessEnv {
  const { PATH = "/usr/local/bin:/usr/bin:/bin", LD_LIBRARY_PATH } = process.env;
  return {
    PATH,
    LC_ALL: "C",
    TZ: "UTC",
    ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
  };
}
