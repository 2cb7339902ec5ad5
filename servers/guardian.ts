import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import type { Account } from "./account.ts";

/**
 * Owns one temporary directory and the server running in it, until this process ends.
 *
 * Two small `sh` processes, each in a session of its own, hold the reading ends of pipes. Both
 * pipes are leases:
 *
 * - The *runner* leads the group of the server's processes. Its pipe has one writer, us. When it
 *   closes, the runner kills its whole group, itself included, so nothing that was forked
 *   meanwhile is left out.
 * - The *keeper* made the directory. Its pipe has us and everything in the runner's group as
 *   writers, so it closes when the last of those is dead. Then nobody can write into the directory
 *   any more, and the keeper removes it.
 *
 * The kernel closes pipes after a normal exit, an uncaught exception, SIGINT, SIGTERM and SIGKILL
 * alike, so nothing here needs a signal or exit handler (which SIGKILL would skip, and which would
 * change how the host program dies).
 */
export interface Guardian {
  /** The temporary directory; owned by the server's account, mode 0700. */
  readonly directory: string;
  /** Runs the server; once. */
  launch(launch: Launch): void;
  /** Resolves with the server's process id when it has been started. */
  readonly serverStarted: Promise<number>;
  /** Resolves when the server has ended, by itself or not. */
  readonly serverEnded: Promise<void>;
  /** Ends the lease. Does not wait; calling it again does nothing. */
  release(): void;
  /** Resolves when server, directory and guardian are gone. Never rejects. */
  readonly gone: Promise<void>;
  /** Whether the guardian keeps this process's event loop alive; at first it does. */
  ref(wanted: boolean): void;
}

export interface Launch {
  /**
   * What `sh` runs in the account; it ends with `exec` of the server. `$dir` is the directory, `$@`
   * are the arguments, `$config` is the text of the configuration. Its output goes to `$dir/log`.
   */
  script: string;
  args: readonly string[];
  /** Handed on in the environment, because other users can read arguments: it may hold passwords. */
  config?: string | undefined;
  /** A signal to end with before SIGKILL, for a server that would leave something on the machine. */
  signal?: "QUIT" | undefined;
}

// $1 is the parent of the temporary directory; /tmp takes its place when the account may not write
// there: root's TMPDIR can be private. PIPE is ignored because we may die before we are told the
// directory. `rm` is repeated because a server may have closed the pipe
// that it inherited.
const keeper = `
umask 077
trap '' HUP INT QUIT TERM PIPE
dir=$(mktemp -d "$1/eightysix-XXXXXX" 2>/dev/null || mktemp -d /tmp/eightysix-XXXXXX) || exit 1
printf '%s\\n' "$dir"
while read -r _; do :; done
tries=0
until rm -rf "$dir" 2>/dev/null || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
`;

// The signals that are ignored here and in background jobs of sh are ignored in what they start,
// too, except where a program installs its own handlers, as PostgreSQL does. Until it has, the
// signal is lost: it is repeated.
//
// The server is waited for here, and so reaped: in a container nobody else might. Until then its
// process id can be nobody else's. File 4 is for its start and its end.
const runner = `
umask 077
trap '' HUP INT QUIT TERM
dir=$1 TMPDIR=$1
export dir TMPDIR
script=$2 signal=$3
shift 3
sh -c "printf '%s\\n' \\$\\$ >&4
$script" sh "$@" 4>&1 >"$dir/log" 2>&1 </dev/null &
server=$!
exec >/dev/null
while read -r _; do :; done
if [ -n "$signal" ]; then
  while kill -"$signal" 0; do sleep 0.1; done &
else
  kill -KILL "$server"
fi
wait "$server"
kill -KILL 0
`;

/**
 * Starts a guardian with an empty temporary directory under `parent` or, if the
 * account may not write there, under /tmp.
 * Rejects when `sh` or `mktemp` fails, or when this process may not switch to
 * `account`; nothing is left behind then.
 */
export async function startGuardian(
  parent: string,
  account: Account | undefined,
): Promise<Guardian> {
  const keeping = shell(keeper, [parent], account, ["pipe", "pipe", "pipe"], {});
  const children = [keeping];
  const gone = new Promise<void>((resolve) => void keeping.once("close", () => resolve()));
  const directory = await firstLine(keeping);
  let started: (pid: number) => void;
  let ended: () => void;
  return {
    directory,
    serverStarted: new Promise((resolve) => (started = resolve)),
    serverEnded: new Promise((resolve) => (ended = resolve)),
    gone,
    launch({ script, args, config = "", signal = "" }) {
      const lease = keeping.stdin; // which the runner inherits as its file 3
      const all = [directory, script, signal, ...args];
      const running = shell(runner, all, account, ["pipe", "pipe", "ignore", lease], { config });
      children.push(running);
      running.once("error", () => ended());
      createInterface({ input: running.stdout })
        .once("line", (pid) => started(Number(pid)))
        .once("close", () => ended());
    },
    // Not `end`, which shuts the pipe down for the runner's group too.
    release: () => children.forEach((child) => child.stdin.destroy()),
    ref(wanted) {
      for (const child of children) {
        for (const handle of [child, child.stdin, child.stdout, child.stderr]) {
          if (wanted) (handle as Handle | null)?.ref();
          else (handle as Handle | null)?.unref();
        }
      }
    },
  };
}

// Pipes of a child process are sockets, which the types do not say.
type Shell = ChildProcess & { stdin: Socket; stdout: Socket };
type Handle = Pick<ChildProcess, "ref" | "unref">;

function shell(
  script: string,
  args: readonly string[],
  account: Account | undefined,
  stdio: ("pipe" | "ignore" | Socket)[],
  env: NodeJS.ProcessEnv,
): Shell {
  return spawn("/bin/sh", ["-c", script, "eightysix-guardian", ...args], {
    ...account,
    detached: true, // its own process group: Ctrl-C in our terminal must not reach it
    stdio,
    cwd: "/", // ours may be unreadable for the account
    env: { ...environment(), ...env },
  }) as Shell;
}

function firstLine(child: Shell): Promise<string> {
  let complaint = "";
  child.stderr?.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    child.once("error", reject);
    child.once("close", (code) => {
      reject(
        new Error(`the guardian of the temporary directory ended (${code}): ${complaint.trim()}`),
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
