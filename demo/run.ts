/** The main job: databases, page, two runs of traffic, a table, and the clean-up. */
import { setTimeout as delay } from "node:timers/promises";
import type { Receipt } from "eightysix";
import { openDatabases, type Databases } from "./databases.ts";
import { endpoints, startServer, type DemoServer } from "./server.ts";
import { table } from "./table.ts";
import { planClients, runTraffic, type RunResult } from "./traffic.ts";
import type { Mode } from "./tally.ts";

export interface Options {
  /** Exits after the table. */
  once: boolean;
  /** Prints JSON in place of the table. Progress goes to stderr. */
  json: boolean;
  clients: number;
  /** CPU time of one report that runs alone on one engine, in milliseconds. */
  target: number;
  seed: number;
  port: number;
}

/** How long the embedded engines may run on after Ctrl-C, in milliseconds. */
const DRAIN = 2_000;

export async function run(options: Options): Promise<void> {
  const ended = new AbortController();
  const quit = (): void => {
    if (ended.signal.aborted) process.exit(130); // the second Ctrl-C ends the process at once
    ended.abort();
  };
  process.on("SIGINT", quit);
  process.on("SIGTERM", quit);
  const say = (line: string): void => {
    if (options.json) console.error(line);
    else console.log(line);
  };

  const databases = await openDatabases(options.target, options.seed, (line) => {
    ended.signal.throwIfAborted();
    say(`… ${line}`);
  }).catch((error: unknown) => {
    if (ended.signal.aborted) return undefined;
    throw error;
  });
  if (databases === undefined) return;
  let server: DemoServer | undefined;
  try {
    server = await startServer(databases, options.port, ended.signal);
    say(`✔ ready: ${server.url}`);
    const results = {
      without: await phase("without", databases, server, options, ended.signal, say),
      with: await phase("with", databases, server, options, ended.signal, say),
      receipts: await server.tally.takeReceipts(ended.signal),
    };
    console.log(options.json ? JSON.stringify(results, null, 2) : `\n${table(results)}\n`);
    for (const receipt of results.receipts.filter(({ state }) => state !== "stopped")) {
      console.error(`✘ request ${receipt.request}: ${describeReceipt(receipt)}`);
      if (options.once) process.exitCode = 1;
    }
    if (!options.once) {
      say(`The page stays up: ${server.url} (Ctrl-C ends it)`);
      await delay(2 ** 31 - 1, undefined, { signal: ended.signal });
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    if (ended.signal.aborted) say("… closing");
    await server?.close();
    // If an embedded engine is still busy, only the end of the process stops it. PostgreSQL and its
    // directory are removed then, too.
    if (await drained(databases)) await databases.close();
    else process.exit();
    process.off("SIGINT", quit);
    process.off("SIGTERM", quit);
  }
}

function describeReceipt({ kind, what, state, after }: Receipt): string {
  return `${kind} was ${state} after ${Math.round(after)} ms: ${what?.trim().replaceAll(/\s+/g, " ").slice(0, 80) ?? ""}`;
}

async function phase(
  mode: Mode,
  databases: Databases,
  server: DemoServer,
  { clients, seed }: Options,
  ended: AbortSignal,
  say: (line: string) => void,
): Promise<RunResult> {
  say(
    mode === "without"
      ? `… ${clients} clients without contexts; most of them leave`
      : "… the same clients, with contexts",
  );
  const plan = {
    url: server.url + endpoints[mode],
    clients: planClients(clients, seed, server.tally.last + 1),
  };
  return runTraffic(plan, databases.spans, ended);
}

/**
 * Waits for the embedded engines, and returns whether both became idle in time. After the server has
 * closed its connections, work under a context stops by itself. Work without a context goes on:
 * DuckDB is interrupted here, and libsql is only waited for.
 */
async function drained({ duckdbConnections, spans }: Databases): Promise<boolean> {
  const until = performance.now() + DRAIN;
  const busy = (): number => duckdbConnections.size + spans.running("libsql").length;
  while (busy() > 0 && performance.now() < until) {
    for (const connection of duckdbConnections.keys()) connection.interrupt();
    await delay(20);
  }
  return busy() === 0;
}
