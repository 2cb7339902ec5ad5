import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Socket } from "node:net";
import type { Account } from "./account.ts";

/**
 * Owns one temporary directory and the server that runs in it, until this process ends.
 *
 * Two small `sh` processes, each in a session of its own, hold the reading ends of two pipes:
 *
 * - The *runner* leads the group of the server's processes. This process is the only writer of its
 *   pipe. When the pipe closes, the runner kills its whole group, itself included, so every process
 *   that was forked in the meantime dies, too.
 * - The *keeper* creates the directory. The writers of its pipe are this process and every process of
 *   the runner's group, so the pipe closes when the last of them has ended. From then on no process
 *   writes into the directory, and the keeper removes it.
 *
 * The kernel closes pipes after a normal exit, an uncaught exception, SIGINT, SIGTERM and SIGKILL.
 * So no signal or exit handler is needed. SIGKILL would skip such a handler, and the handler would
 * change how the host program ends.
 */
export interface Guardian {
  /** The temporary directory. The server's account owns it, mode 0700. */
  readonly directory: string;
  /** Runs the server. Called at most once. */
  launch(launch: Launch): void;
  /** Resolves when the server has been started, with the process id of what `script` ends with. */
  readonly serverStarted: Promise<number>;
  /** Resolves when the server has ended, for any reason. */
  readonly serverEnded: Promise<void>;
  /** Ends server and directory. Does not wait. A second call does nothing. */
  release(): void;
  /** Resolves when the server, the directory and both `sh` processes are gone. Never rejects. */
  readonly gone: Promise<void>;
  /** Sets whether the guardian keeps this process's event loop alive. It does at first. */
  ref(wanted: boolean): void;
}

export interface Launch {
  /**
   * The script that `sh` runs as the account. It ends with `exec` of the server, or it waits for the
   * server. `$dir` is the directory, `$@` are the arguments, `$config` is the text of the
   * configuration. The output goes to `$dir/log`.
   */
  script: string;
  args: readonly string[];
  /** The configuration. It is passed in the environment, because other users can read arguments. */
  config?: string | undefined;
  /** The signal to send before SIGKILL, for a server that would leave something on the machine. */
  signal?: "QUIT" | undefined;
}

// $1 is the parent of the temporary directory. If the account may not write there, /tmp is used:
// root's TMPDIR can be private. PIPE is ignored because the parent process may end before it reads
// the directory's name. `rm` is repeated because a server may have closed the pipe that it inherited.
const keeper = `
umask 077
trap '' HUP INT QUIT TERM PIPE
dir=$(mktemp -d "$1/eightysix-XXXXXX" 2>/dev/null || mktemp -d /tmp/eightysix-XXXXXX) || exit 1
printf '%s\\n' "$dir"
while read -r _; do :; done
tries=0
until rm -rf "$dir" 2>/dev/null || [ "$tries" -ge 50 ]; do tries=$((tries + 1)); sleep 0.1; done
`;

// A signal that is ignored here, or in a background job of sh, is also ignored by the programs that
// they start, until the program installs a handler of its own, as PostgreSQL does. Until then the
// signal has no effect, so it is repeated. After 5 s, a server that does not end is killed.
//
// The runner waits for the server and thereby reaps it: in a container no other process might. Until
// then no other process can get the server's process id. File 4 reports the server's start and end.
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
  (
    tries=0
    while kill -"$signal" 0 && [ "$tries" -lt 50 ]; do tries=$((tries + 1)); sleep 0.1; done
    kill -KILL "$server"
  ) &
else
  kill -KILL "$server"
fi
wait "$server"
kill -KILL 0
`;

/**
 * Starts a guardian with an empty temporary directory under `parent` or, if the account may not write
 * there, under /tmp. Rejects if `sh` or `mktemp` fails, or if this process may not switch to
 * `account`. Then nothing is left behind.
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
      const lease = keeping.stdin; // the runner inherits it as its file 3
      const all = [directory, script, signal, ...args];
      const running = shell(runner, all, account, ["pipe", "pipe", "ignore", lease], { config });
      children.push(running);
      running.once("error", () => ended());
      createInterface({ input: running.stdout })
        .once("line", (pid) => started(Number(pid)))
        .once("close", () => ended());
    },
    // Not `end`: that would shut the pipe down for the runner's group, too.
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

// The pipes of a child process are sockets. The types do not say so.
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
    detached: true, // a process group of its own: Ctrl-C in the terminal must not reach it
    stdio,
    cwd: "/", // the account may not read the current directory
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

// Without TZ, initdb compares every time zone file with the system clock.
function environment(): NodeJS.ProcessEnv {
  const { PATH = "/usr/local/bin:/usr/bin:/bin", LD_LIBRARY_PATH } = process.env;
  return {
    PATH,
    LC_ALL: "C",
    TZ: "UTC",
    ...(LD_LIBRARY_PATH === undefined ? {} : { LD_LIBRARY_PATH }),
  };
}
