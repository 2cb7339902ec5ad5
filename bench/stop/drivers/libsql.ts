import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import Database from "libsql/promise";
import { background } from "eightysix";
import { withContext } from "eightysix/libsql";
import { armsOf } from "../arms.ts";
import type { Driver, Work } from "../driver.ts";
import { onDemand, promiseRace, sizeOf, withOurs } from "../ways.ts";

const CPU = (size: number): string =>
  `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${size}) SELECT count(*) AS n FROM c`;

interface Prepared {
  all(): Promise<unknown[]>;
}

export const libsql: Driver = {
  name: "libsql",
  package: "libsql",
  async open() {
    if (process.platform !== "linux") {
      throw new Error(
        "this measurement needs Linux, which reports the state of each thread; SQLite reports nothing",
      );
    }
    const raw = new Database(":memory:", {});
    const db = withContext(raw);
    const all = async (sql: string): Promise<unknown> =>
      ((await raw.prepare(sql)) as Prepared).all();
    const sql = CPU(await sizeOf((n) => all(CPU(n))));
    const threads = libsqlThreads();
    const work: Work = {
      name: "CPU",
      running: () => threads.some(isBusy),
      race: promiseRace(() => all(sql)),
      own: onDemand("interrupt()", () => ({ answer: all(sql), abort: () => raw.interrupt() })),
      ours: withOurs((ctx) => db.all(ctx, sql)),
    };
    const opened = [raw];
    const another = (): Database => {
      const one = new Database(":memory:", {});
      opened.push(one);
      return one;
    };
    const [row] = await db.all(background(), "SELECT sqlite_version() AS v");
    return {
      server: `SQLite ${row?.["v"] as string} in this process`,
      bare: "no bare cancel: an interrupt is a call, not a round trip",
      works: [work],
      costs: {
        what: "SELECT 1",
        arms: armsOf({
          name: "prepare, all",
          bare() {
            const own = another();
            return async () => ((await own.prepare("SELECT 1 AS n")) as Prepared).all();
          },
          ours() {
            const own = withContext(another());
            return (ctx) => own.all(ctx, "SELECT 1 AS n");
          },
          is: (answer) => (answer as { n: number }[])[0]?.n === 1,
        }),
      },
      close() {
        for (const one of opened) one.close();
        for (const file of threads) closeSync(file);
        return Promise.resolve();
      },
    };
  },
};

/** Opens the files that hold the state of each libsql thread; see demo/observe-libsql.ts. */
function libsqlThreads(): number[] {
  return readdirSync("/proc/self/task")
    .filter((id) =>
      readFileSync(`/proc/self/task/${id}/comm`, "utf8").startsWith("tokio-runtime-w"),
    )
    .map((id) => openSync(`/proc/self/task/${id}/stat`, "r"));
}

const buffer = Buffer.alloc(512);

/**
 * Returns whether a thread is busy, by the letter after its name: R runs or waits for a CPU, D
 * waits for the disk, S sleeps.
 */
function isBusy(file: number): boolean {
  const text = buffer.toString("latin1", 0, readSync(file, buffer, 0, buffer.length, 0));
  return "RD".includes(text.charAt(text.lastIndexOf(")") + 2));
}
