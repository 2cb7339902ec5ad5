/** One run of one arm: three fresh processes, and what came of it. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { percentile } from "../stop/report.ts";
import type { Visits } from "./clients.ts";

export interface Load {
  /** Clients that come each second, on average. */
  readonly rate: number;
  readonly ms: number;
  readonly seed: number;
}

export interface Outcome {
  /** Served in time, each second. */
  readonly goodput: number;
  /** The share of the time for which the resource served those who did not get the answer. */
  readonly wasted: number;
  /** Milliseconds of those who were served. */
  readonly p50: number;
  readonly p99: number;
  /** The share that was told no, and after how many milliseconds. */
  readonly refused: number;
  readonly toldAfter: number;
  /** The 99th percentile of the milliseconds by which clients came too late: how busy the machine was. */
  readonly lag: number;
}

const program = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export async function run(arm: number, { rate, ms, seed }: Load): Promise<Outcome> {
  const begun: ChildProcess[] = [];
  const start = (name: string, ...args: unknown[]): ChildProcess => {
    const child = fork(program(name), args.map(String));
    begun.push(child);
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
    for (const child of begun) child.kill();
  }
}

/** What the process says next. */
async function told<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const { signal } = over;
  try {
    return await Promise.race([
      once(child, "message", { signal }).then(([message]) => message as T),
      once(child, "exit", { signal }).then(([code]) => {
        throw new Error(`a process of the benchmark has ended with ${code}`);
      }),
    ]);
  } finally {
    over.abort();
  }
}
