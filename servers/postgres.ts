import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unprivilegedAccount } from "./account.ts";
import { startGuardian, type Guardian } from "./guardian.ts";
import { usableBinaries } from "./postgres-binaries.ts";

/** A running PostgreSQL with an empty database `postgres`. */
export interface PostgresServer {
  /** Connection string of its superuser, password included. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Process id of the postmaster. */
  readonly pid: number;
  /** Holds the data and `log`; removed with the server. */
  readonly directory: string;
  /**
   * Stops the server at once (its connections break) and resolves when it and
   * its directory are gone. Never rejects; may be called again.
   */
  stop(): Promise<void>;
  /** As `stop`, without waiting: for exit handlers. */
  kill(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PostgresOptions {
  /** Parameters of postgresql.conf that replace or extend our own. */
  settings?: Readonly<Record<string, string | number>>;
  /** Where to put the temporary directory, if the server's account may write there. Default: `os.tmpdir()`. */
  parent?: string;
  /** How long to wait for the server to be ready, in ms. Default: 60,000. */
  startupTimeout?: number;
}

// Nothing has to survive a crash, and repeated runs should take equally long.
const defaults = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "", // a socket path can be too long, and one way in is enough
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  wal_level: "minimal",
  max_wal_senders: 0,
  max_connections: 100,
  shared_buffers: "64MB",
  dynamic_shared_memory_type: "mmap", // in the data directory: nothing stays in /dev/shm
  autovacuum: "off",
  jit: "off",
};

/**
 * Starts a real PostgreSQL from the npm package on a free port of 127.0.0.1,
 * with its data in a new temporary directory. Any number may run at once.
 *
 * It ends with `stop()`, and in any case with this process, whichever way that
 * ends, SIGKILL included; server and directory are then gone within about a
 * tenth of a second. It does not keep the process alive.
 *
 * As root it runs under an unprivileged account. Rejects with an Error that
 * says what to do when there is no PostgreSQL for this platform, or with the
 * server's own log when it does not start; nothing is left behind then.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      // Between our finding a free port and the server's binding it, anybody
      // may take it; nobody can reserve one for another process.
      const taken =
        error instanceof Error && error.message.includes("could not create any TCP/IP sockets");
      if (!taken || attempt === 5) throw error;
    }
  }
}

async function startOnce(options: PostgresOptions): Promise<PostgresServer> {
  if (process.platform === "win32") {
    throw new Error(
      "Starting PostgreSQL is not supported on Windows: " +
        "set EIGHTYSIX_TEST_POSTGRES_URL to the URL of a running server.",
    );
  }
  const account = unprivilegedAccount();
  const settings = Object.entries({ ...defaults, ...options.settings });
  const flags = settings.flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const guardian = await startGuardian(options.parent ?? tmpdir(), flags, account);
  try {
    const bin = await usableBinaries(guardian.directory, account);
    const port = await freePort();
    // Trust authentication would let every user of the machine run programs as
    // the server's account (COPY … TO PROGRAM).
    const password = randomBytes(12).toString("hex");
    guardian.launch({ bin, port, password });
    const pid = await ready(guardian, options.startupTimeout ?? 60_000);
    guardian.ref(false);
    return server(guardian, port, pid, password);
  } catch (error) {
    guardian.release();
    await guardian.gone;
    throw error;
  }
}

function server(guardian: Guardian, port: number, pid: number, password: string): PostgresServer {
  const kill = () => guardian.release();
  const stop = () => {
    guardian.ref(true); // or a program that only awaits this would end first
    kill();
    return guardian.gone;
  };
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    host: "127.0.0.1",
    port,
    pid,
    directory: guardian.directory,
    stop,
    kill,
    [Symbol.asyncDispose]: stop,
  };
}

/** Resolves with the postmaster's pid once the server takes connections. */
async function ready(guardian: Guardian, timeout: number): Promise<number> {
  const giveUp = performance.now() + timeout;
  let ended: string | undefined;
  void guardian.serverEnded.then((status) => (ended = status));
  for (;;) {
    // Its last line is the server's state: what pg_ctl looks at.
    const file = await readFile(join(guardian.directory, "data", "postmaster.pid"), "utf8").catch(
      () => "",
    );
    const lines = file.split("\n");
    if (lines[7]?.trim() === "ready") return Number(lines[0]);
    if (ended !== undefined || performance.now() > giveUp) {
      const log = await readFile(join(guardian.directory, "log"), "utf8").catch(() => "");
      const what =
        ended === undefined ? `was not ready after ${timeout} ms` : `ended with status ${ended}`;
      throw new Error(`PostgreSQL ${what}:\n${log.trim()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}
