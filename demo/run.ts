/** The main job, from the first progress line to the last clean-up. */
import { setTimeout as delay } from "node:timers/promises";
import { openKitchen, type Kitchen } from "./databases.ts";
import { startServer, type DemoServer } from "./server.ts";
import { table } from "./table.ts";
import { planClients, runTraffic, type RunResult } from "./traffic.ts";
import type { Mode } from "./tally.ts";

export interface Options {
  /** Exit after the table. */
  once: boolean;
  /** Print data instead of a table; progress goes to stderr. */
  json: boolean;
  clients: number;
  /** CPU time of one report alone on one engine, in ms. */
  target: number;
  seed: number;
  port: number;
}

/** How long the embedded engines may go on after Ctrl-C, in ms. */
const DRAIN = 2_000;

export async function run(options: Options): Promise<void> {
  const ended = new AbortController();
  const quit = (): void => {
    if (ended.signal.aborted) process.exit(130); // the second time, at once
    ended.abort();
  };
  process.on("SIGINT", quit);
  process.on("SIGTERM", quit);
  const say = (line: string): void => {
    if (options.json) console.error(line);
    else console.log(line);
  };

  const kitchen = await openKitchen(options.target, options.seed, (line) => {
    ended.signal.throwIfAborted();
    say(`… ${line}`);
  }).catch((error: unknown) => {
    if (ended.signal.aborted) return undefined;
    throw error;
  });
  if (kitchen === undefined) return;
  let server: DemoServer | undefined;
  try {
    server = await startServer(kitchen, options.port, ended.signal);
    say(`✔ ready: ${server.url}`);
    const results = {
      deaf: await phase("deaf", kitchen, server, options, ended.signal, say),
      contexts: await phase("contexts", kitchen, server, options, ended.signal, say),
    };
    console.log(
      options.json
        ? JSON.stringify(results, null, 2)
        : `\n${table(results.deaf, results.contexts)}\n`,
    );
    if (!options.once) {
      say(`The page stays up: ${server.url} (Ctrl-C ends it)`);
      await delay(2 ** 31 - 1, undefined, { signal: ended.signal });
    }
  } catch (error) {
    if (!ended.signal.aborted) throw error;
  } finally {
    if (ended.signal.aborted) say("… closing");
    await server?.close();
    // What is left after that ends with the process; so do the server and its directory.
    if (await drained(kitchen)) await kitchen.close();
    else process.exit();
    process.off("SIGINT", quit);
    process.off("SIGTERM", quit);
  }
}

async function phase(
  mode: Mode,
  kitchen: Kitchen,
  server: DemoServer,
  { clients, seed }: Options,
  ended: AbortSignal,
  say: (line: string) => void,
): Promise<RunResult> {
  say(
    mode === "deaf"
      ? `… ${clients} clients, most of whom leave; nobody tells the databases`
      : "… the same clients, with contexts",
  );
  const plan = {
    url: `${server.url}${mode === "deaf" ? "/report-deaf" : "/report"}`,
    clients: planClients(clients, seed, server.tally.last + 1),
  };
  return runTraffic(plan, kitchen.spans, ended);
}

/**
 * With the connections closed, contexts stop their work by themselves. The deaf go on: for them
 * DuckDB is interrupted here, and libsql not at all. Whether both became idle.
 */
async function drained({ duckdbConnections, spans }: Kitchen): Promise<boolean> {
  const until = performance.now() + DRAIN;
  const busy = (): number => duckdbConnections.size + spans.running("libsql").length;
  while (busy() > 0 && performance.now() < until) {
    for (const connection of duckdbConnections.keys()) connection.interrupt();
    await delay(20);
  }
  return busy() === 0;
}
