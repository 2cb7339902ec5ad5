/** What all servers have in common: how one is started on a port of its own, and how it ends. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unprivilegedAccount, type Account } from "./account.ts";
import { startGuardian, type Guardian, type Launch } from "./guardian.ts";

/** A running server of this process's own. */
export interface Server {
  /** Connection string with every right, password included. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Process id of the server. */
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

export interface ServerOptions {
  /** Where to put the temporary directory, if the server's account may write there. Default: `os.tmpdir()`. */
  parent?: string;
  /** How long to wait for the server to be ready, in ms. Default: 60,000. */
  startupTimeout?: number;
}

/** One kind of server. */
export interface Recipe extends Pick<Launch, "script" | "signal"> {
  /** As in messages. */
  readonly name: string;
  /** The account that its packages make for it; used by root only. */
  readonly user: string;
  /** What to do where it can't be started: a sentence that ends messages. */
  readonly elsewhere: string;
  /** The arguments of `script` for this port, and the url that they lead to. */
  prepare(at: Place): Prepared | Promise<Prepared>;
  /** Whether connections are taken now: a text in the log, or a question. */
  readonly ready: string | ((directory: string) => Promise<boolean>);
}

export interface Place {
  /** Exists, and is empty. */
  readonly directory: string;
  readonly port: number;
  readonly account: Account | undefined;
}

export interface Prepared extends Pick<Launch, "args" | "config"> {
  readonly url: string;
}

/**
 * Starts a server on a free port of 127.0.0.1 with its data in a new temporary directory. Any
 * number may run at once.
 *
 * It ends with `stop()`, and in any case with this process, whichever way that
 * ends, SIGKILL included; server and directory are then gone within about a
 * tenth of a second. It does not keep the process alive.
 *
 * As root it runs under an unprivileged account. Rejects with an Error that says what to do when
 * it can't be started here, or with the server's own log when it does not start; nothing is left
 * behind then.
 */
export async function startServer(recipe: Recipe, options: ServerOptions = {}): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(recipe, options);
    } catch (error) {
      // Between our finding a free port and the server's binding it, anybody
      // may take it; nobody can reserve one for another process.
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
      guardian.ref(true); // or a program that only awaits this would end first
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

// The server's own files are asked, never the port: behind it there may be somebody else's server.
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
