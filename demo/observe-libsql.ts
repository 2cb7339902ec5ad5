import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { sample, type Spans, type StopWatching } from "./observe.ts";

/**
 * Records what libsql's threads do, looked up every `every` ms. SQLite has no
 * call that tells whether a statement is running, so the operating system is
 * asked instead.
 *
 * On Linux, busy means: one of libsql's own threads (the whole process has as
 * many as threads.env says, and a statement keeps one to itself from its start to its first row)
 * is running, waiting for a CPU, or waiting for the disk. Idle ones sleep.
 * A thread that goes from one statement straight to the next counts as one
 * span; a statement that still waits for a thread is not running, and is not
 * counted. The worker is the thread id.
 *
 * Elsewhere threads can't be told apart: worker 0 is busy while the process
 * uses more CPU time than its event loop accounts for, which includes DuckDB.
 */
export function watchLibsql(spans: Spans, every = 2): StopWatching {
  if (process.platform !== "linux") return sample("libsql", spans, besidesEventLoop(), 50);
  const threads = new Map<number, number>();
  let listed = -Infinity;
  const buffer = Buffer.alloc(512);
  const stop = sample(
    "libsql",
    spans,
    () => {
      // They come into being with the first database, and listing costs more than looking.
      if (performance.now() - listed > 500) {
        for (const id of threadIds())
          if (!threads.has(id)) threads.set(id, openSync(`/proc/self/task/${id}/stat`, "r"));
        listed = performance.now();
      }
      return [...threads]
        .filter(([, file]) => "RD".includes(state(file, buffer)))
        .map(([id]) => id);
    },
    every,
  );
  return async () => {
    await stop();
    for (const file of threads.values()) closeSync(file);
  };
}

function threadIds(): number[] {
  return readdirSync("/proc/self/task")
    .filter((id) =>
      readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("tokio-runtime-w"),
    )
    .map(Number);
}

/** The letter after the thread's name: R runs or waits for a CPU, D waits for the disk, S sleeps. */
function state(file: number, buffer: Buffer): string {
  const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
  return text.charAt(text.lastIndexOf(")") + 2);
}

function besidesEventLoop(): () => number[] {
  let cpu = process.cpuUsage();
  let loop = performance.eventLoopUtilization();
  let time = performance.now();
  return () => {
    const used = process.cpuUsage(cpu);
    const { active } = performance.eventLoopUtilization(loop);
    const elapsed = performance.now() - time;
    cpu = process.cpuUsage();
    loop = performance.eventLoopUtilization();
    time = performance.now();
    return (used.user + used.system) / 1000 - active > elapsed / 3 ? [0] : [];
  };
}
