/**
 * The clients, in a process of their own: `clients.js <port of A> <rate> <ms> <seed>`. They arrive
 * independently of each other (open loop, exponential gaps), and leave after 300 ms.
 */
import { Agent, get } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const [port, rate, duration, seed] = process.argv.slice(2).map(Number) as [
  number,
  number,
  number,
  number,
];

/** Milliseconds for which a client waits. */
const PATIENCE = 300;
const WARM = { rate: 50, ms: 1_000 };

/** How one client's visit ended, and after how many milliseconds. */
export interface Visit {
  id: string;
  end: "served" | "refused" | "left";
  ms: number;
}

export interface Visits {
  visits: Visit[];
  /** How many milliseconds late each client arrived, because this process waited for a CPU. */
  lags: number[];
}

const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

function visit(id: string): Promise<Visit> {
  return new Promise((resolve) => {
    const came = performance.now();
    const leave = setTimeout(() => over("left"), PATIENCE);
    const over = (end: Visit["end"]): void => {
      clearTimeout(leave);
      resolve({ id, end, ms: performance.now() - came });
      if (end === "left") request.destroy();
    };
    const headers = { "x-request-timeout-ms": String(PATIENCE) };
    const request = get({ port, host: "127.0.0.1", path: id, agent, headers }, (answer) => {
      answer.resume().once("end", () => over(answer.statusCode === 200 ? "served" : "refused"));
    });
    request.on("error", () => over("left"));
  });
}

async function crowd(path: string, perSecond: number, ms: number): Promise<Visits> {
  const random = mulberry(seed);
  const began = performance.now();
  const visits: Promise<Visit>[] = [];
  const lags: number[] = [];
  for (let at = 0; ;) {
    at += (-Math.log(1 - random()) / perSecond) * 1e3;
    if (at > ms) break;
    const early = began + at - performance.now();
    if (early > 0) await pause(early);
    lags.push(performance.now() - began - at);
    visits.push(visit(`/${path}/${visits.length}`));
  }
  return { visits: await Promise.all(visits), lags };
}

/**
 * Returns a generator of numbers from 0 to 1. All arms use the same seed, and so the same clients.
 */
function mulberry(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

await crowd("warm", WARM.rate, WARM.ms);
const found = await crowd("work", rate, duration);
process.send?.(found, () => process.exit(0));
