/** Runs one arm once, in three new processes, and returns the outcome. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { percentile } from "../stop/report.ts";
import type { Visits } from "./clients.ts";

export interface Load {
  /** Clients that arrive each second, on average. */
  readonly rate: number;
  readonly ms: number;
  readonly seed: number;
}

export interface Outcome {
  /** Clients that were served in time, each second. */
  readonly goodput: number;
  /** The share of its time in which the resource served clients that did not get the answer. */
  readonly wasted: number;
  /** Milliseconds until a client was served. */
  readonly p50: number;
  readonly p99: number;
  /** The share of clients that was refused. */
  readonly refused: number;
  /** Milliseconds until a client was refused. */
  readonly toldAfter: number;
  /**
   * The 99th percentile of the milliseconds by which clients arrived late. Says how busy the
   * machine was.
   */
  readonly lag: number;
}

const program = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export async function run(arm: number, { rate, ms, seed }: Load): Promise<Outcome> {
  const started: ChildProcess[] = [];
  const start = (name: string, ...args: unknown[]): ChildProcess => {
    const child = fork(program(name), args.map(String));
    started.push(child);
    return child;
  };
  try {
    const back = start("service", "back", arm);
    const front = start("service", "front", arm, `http://127.0.0.1:${await told<number>(back)}`);
    const clients = start("clients", await told<number>(front), rate, ms, seed);
    const { visits, lags } = await told<Visits>(clients);
    back.send("account");
    const held = await told<Record<string, number>>(back);

    const of = (end: string) => visits.filter((visit) => visit.end === end);
    const times = (end: string) => of(end).map((visit) => visit.ms);
    const sum = (all: number[]): number => all.reduce((total, x) => total + x, 0);
    const used = sum(Object.values(held));
    return {
      goodput: (of("served").length / ms) * 1e3,
      wasted: 1 - sum(of("served").map(({ id }) => held[id] ?? 0)) / used,
      p50: percentile(times("served"), 0.5),
      p99: percentile(times("served"), 0.99),
      refused: of("refused").length / visits.length,
      toldAfter: percentile(times("refused"), 0.5),
      lag: percentile(lags, 0.99),
    };
  } finally {
    for (const child of started) child.kill();
  }
}

/** Returns the next message of a process. */
async function told<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const { signal } = over;
  try {
    return await Promise.race([
      once(child, "message", { signal }).then(([message]) => message as T),
      once(child, "exit", { signal }).then(([code]) => {
        throw new Error(`a process of the benchmark exited with code ${code}`);
      }),
    ]);
  } finally {
    over.abort();
  }
}
