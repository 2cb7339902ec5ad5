/** Starts a server on a free port, and ends it with this process. Every kind of server uses it. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unprivilegedAccount, type Account } from "./account.ts";
import { startGuardian, type Guardian, type Launch } from "./guardian.ts";

/** A running server that this process owns. */
export interface Server {
  /** The connection string of the superuser, with the password. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The process id of the server. */
  readonly pid: number;
  /** The directory of the data and of `log`. It is removed with the server. */
  readonly directory: string;
  /**
   * Stops the server at once, so its connections break. Resolves when the server and its directory
   * are gone. Never rejects. May be called again.
   */
  stop(): Promise<void>;
  /** Does what `stop` does, without waiting. For exit handlers. */
  kill(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServerOptions {
  /** The parent of the temporary directory, if the server's account may write there. Default: `os.tmpdir()`. */
  parent?: string;
  /** How long the server may take to be ready, in milliseconds. Default: 60,000. */
  startupTimeout?: number;
}

/** One kind of server. */
export interface Recipe extends Pick<Launch, "script" | "signal"> {
  /** The name for messages. */
  readonly name: string;
  /** The account that the server's packages create. Used if this process is root. */
  readonly user: string;
  /** A sentence for messages: what to do if the server cannot be started. */
  readonly elsewhere: string;
  /** Returns the arguments of `script` for this port, and the URL of the server. */
  prepare(at: Place): Prepared | Promise<Prepared>;
  /** How to find out that the server accepts connections: a text in the log, or a function. */
  readonly ready: string | ((directory: string) => Promise<boolean>);
}

export interface Place {
  /** The directory. It exists and is empty. */
  readonly directory: string;
  readonly port: number;
  readonly account: Account | undefined;
}

export interface Prepared extends Pick<Launch, "args" | "config"> {
  readonly url: string;
}

/**
 * Starts a server on a free port of 127.0.0.1, with its data in a new temporary directory. Any number
 * of servers may run at once.
 *
 * The server ends with `stop()`, and in any case with this process, even by SIGKILL. Server and
 * directory are then gone within about 0.1 s. The server does not keep this process alive.
 *
 * If this process is root, the server runs under an unprivileged account. Rejects with an Error that
 * says what to do if the server cannot be started here, or with the server's log if it does not
 * start. Then nothing is left behind.
 */
export async function startServer(recipe: Recipe, options: ServerOptions = {}): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(recipe, options);
    } catch (error) {
      // Another process may take the port before the server binds it. A port cannot be reserved for
      // another process.
      const taken = error instanceof Error && /address already in use/i.test(error.message);
      if (!taken || attempt === 5) throw error;
    }
  }
}

async function startOnce(recipe: Recipe, options: ServerOptions): Promise<Server> {
  const { name, user, script, signal, elsewhere } = recipe;
  if (process.platform === "win32") {
    throw new Error(`Starting ${name} is not supported on Windows. ${elsewhere}`);
  }
  const account = unprivilegedAccount(name, user);
  const guardian = await startGuardian(options.parent ?? tmpdir(), account);
  try {
    const { directory } = guardian;
    const port = await freePort();
    const { url, args, config } = await recipe.prepare({ directory, port, account });
    guardian.launch({ script, args, config, signal });
    await ready(recipe, guardian, options.startupTimeout ?? 60_000);
    const pid = await guardian.serverStarted;
    guardian.ref(false);
    const kill = (): void => guardian.release();
    const stop = (): Promise<void> => {
      guardian.ref(true); // a program that only awaits this call would end otherwise
      kill();
      return guardian.gone;
    };
    return {
      ...{ url, host: "127.0.0.1", port, pid, directory },
      ...{ stop, kill, [Symbol.asyncDispose]: stop },
    };
  } catch (error) {
    guardian.release();
    await guardian.gone;
    throw error;
  }
}

// Reads the server's files, and never asks the port: another server may listen there.
async function ready(recipe: Recipe, guardian: Guardian, timeout: number): Promise<void> {
  const giveUp = performance.now() + timeout;
  let ended = false;
  void guardian.serverEnded.then(() => (ended = true));
  const { ready, name } = recipe;
  const log = (): Promise<string> =>
    readFile(join(guardian.directory, "log"), "utf8").catch(() => "");
  for (;;) {
    const is =
      typeof ready === "string" ? (await log()).includes(ready) : ready(guardian.directory);
    if (await is) return;
    if (ended || performance.now() > giveUp) {
      const what = ended ? "ended" : `was not ready after ${timeout} ms`;
      throw new Error(`${name} ${what}:\n${(await log()).trim()}`);
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
