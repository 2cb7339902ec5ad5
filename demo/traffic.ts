/** A run of traffic against one endpoint, and what the engines did during it. */
import { fork } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Client, Plan, Visit } from "./clients.ts";
import type { Engine, Spans } from "./observe.ts";

export interface RunResult {
  readonly requests: number;
  readonly answered: number;
  readonly left: number;
  /** Queries that run 100 ms after the last client left, for clients who have left. */
  readonly abandonedRunning: Readonly<Record<Engine, number>>;
  /** Database time spent for clients after they had left, in milliseconds. */
  readonly abandonedTime: Readonly<Record<Engine, number>>;
  /** Milliseconds from each disconnect to the end of its query on the engine, sorted. */
  readonly toIdle: Readonly<Record<"postgres" | "duckdb", readonly number[]>>;
  /** Milliseconds from the last disconnect until no engine works for a client who has left. */
  readonly quietAfter: number;
  /** How long the clients who stayed have waited, in milliseconds, sorted. */
  readonly waited: readonly number[];
  /** Responses per second, from the first arrival to the last response. */
  readonly goodput: number;
}

/** Plans the same clients for the same seed: a quarter stay, the others leave after 50 to 300 ms. */
export function planClients(count: number, seed: number, firstRequest: number): Client[] {
  let state = seed;
  const random = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
  return Array.from({ length: count }, (_, i) => {
    const patience = 50 + random() * 250;
    random();
    return {
      request: firstRequest + i,
      arrives: i * 100,
      patience: i % 4 === 1 ? undefined : patience,
    };
  });
}

/**
 * Sends the clients from another process, and waits until all have finished and every engine is
 * idle. Rejects when `ended` aborts.
 */
export async function runTraffic(plan: Plan, spans: Spans, ended: AbortSignal): Promise<RunResult> {
  spans.clear();
  const visits = await send(plan, ended);
  do await delay(50, undefined, { signal: ended });
  while (spans.running().length > 0);
  return measure(visits, spans);
}

/** Sends the clients, and resolves with one visit each, in this process's time. */
export async function send(plan: Plan, ended: AbortSignal): Promise<Visit[]> {
  const child = fork(new URL("./clients.js", import.meta.url), {
    signal: ended,
    killSignal: "SIGKILL",
  });
  const visits: Visit[] = [];
  child.on("message", (message) => {
    const visit = message as Visit;
    const { timeOrigin } = performance;
    visits.push({
      ...visit,
      arrived: visit.arrived - timeOrigin,
      through: visit.through - timeOrigin,
    });
  });
  child.send(plan);
  await new Promise<void>((resolve, reject) => {
    child.once("exit", () => {
      resolve();
    });
    child.once("error", reject);
  });
  return visits;
}

function measure(visits: readonly Visit[], spans: Spans): RunResult {
  const leavers = visits.filter((visit) => !visit.answered);
  const patient = visits.filter((visit) => visit.answered);
  const leftAt = new Map(leavers.map(({ request, through }) => [request, through]));
  const lastLeft = Math.max(...leavers.map(({ through }) => through));
  const now = performance.now();

  const late = (engine: Engine): number[] =>
    spans.all.flatMap(({ engine: e, worker, end = now }) => {
      const left = leftAt.get(worker);
      return e === engine && left !== undefined && end > left ? [end - left] : [];
    });
  const stillRunning = (engine: Engine, time: number): number =>
    spans.all.filter(({ engine: e, worker, start, end = now }) => {
      return e === engine && leftAt.has(worker) && start <= time && time < end;
    }).length;
  const abandonedTimeOf = (engine: Engine): number =>
    spans.all.reduce((sum, { engine: e, worker, start, end = now }) => {
      const left = leftAt.get(worker);
      return e === engine && left !== undefined
        ? sum + Math.max(0, end - Math.max(start, left))
        : sum;
    }, 0);
  const libsql = unattributed(visits, spans, now);

  const toIdle = { postgres: sorted(late("postgres")), duckdb: sorted(late("duckdb")) };
  const lastEnds = spans.all
    .filter(({ engine, worker }) => engine !== "libsql" && leftAt.has(worker))
    .map(({ end = now }) => end);
  const waited = sorted(patient.map(({ arrived, through }) => through - arrived));
  const seconds =
    (Math.max(...patient.map(({ through }) => through)) -
      Math.min(...visits.map((v) => v.arrived))) /
    1000;
  return {
    requests: visits.length,
    answered: patient.length,
    left: leavers.length,
    abandonedRunning: {
      postgres: stillRunning("postgres", lastLeft + 100),
      duckdb: stillRunning("duckdb", lastLeft + 100),
      libsql: libsql.excessAt(lastLeft + 100),
    },
    abandonedTime: {
      postgres: abandonedTimeOf("postgres"),
      duckdb: abandonedTimeOf("duckdb"),
      libsql: libsql.excess,
    },
    toIdle,
    quietAfter: Math.max(0, Math.max(libsql.lastExcess, ...lastEnds) - lastLeft),
    waited,
    goodput: patient.length === 0 ? 0 : patient.length / seconds,
  };
}

/** A thread is seen to be idle up to so many milliseconds after its response was sent. */
const SEEN_LATE = 100;

/**
 * A thread of libsql does not say which request it works for. But each client who is present
 * accounts for one query at most, so every busy thread beyond that works for a client who has left.
 */
function unattributed(visits: readonly Visit[], spans: Spans, now: number) {
  const present = (time: number): number =>
    visits.filter(({ arrived, through, answered }) => {
      return arrived <= time && time < through + (answered ? SEEN_LATE : 0);
    }).length;
  const excessAt = (time: number): number =>
    Math.max(0, spans.runningAt(time, "libsql") - present(time));
  const times = spans.all.flatMap(({ engine, start, end = now }) =>
    engine === "libsql" ? [start, end] : [],
  );
  times.push(...visits.flatMap(({ arrived, through }) => [arrived, through]));
  times.sort((a, b) => a - b);
  let excess = 0;
  let lastExcess = -Infinity;
  times.forEach((time, i) => {
    const next = times[i + 1];
    if (next === undefined) return;
    const threads = excessAt(time);
    excess += threads * (next - time);
    if (threads > 0) lastExcess = next;
  });
  return { excess, excessAt, lastExcess };
}

function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** Returns the value below which the share `q` (0 … 1) of sorted numbers lies. NaN if there are none. */
export function quantile(numbers: readonly number[], q: number): number {
  return numbers[Math.min(numbers.length - 1, Math.floor(numbers.length * q))] ?? Number.NaN;
}
