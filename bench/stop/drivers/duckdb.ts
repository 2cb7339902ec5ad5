import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { withContext } from "eightysix/duckdb";
import { connectDuckdb } from "../../../demo/duckdb-data.ts";
import { armsOf } from "../arms.ts";
import type { Driver, Work } from "../driver.ts";
import { onDemand, promiseRace, sizeOf, withOurs } from "../ways.ts";

const CPU = (size: number): string =>
  `SELECT count(*) FROM range(${size}) a, range(1000) b WHERE (a.range * b.range) % 7 = 3`;

export const duckdb: Driver = {
  name: "duckdb",
  package: "@duckdb/node-api",
  async open() {
    // One thread, so that a core is free for the event loop, which observes.
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await connectDuckdb(instance);
    const db = withContext(connection);
    const sql = CPU(await sizeOf((n) => connection.run(CPU(n))));
    const work: Work = {
      name: "CPU",
      running: () => connection.progress.percentage >= 0,
      race: promiseRace(() => connection.run(sql)),
      own: onDemand("interrupt()", () => ({
        answer: connection.run(sql),
        abort: () => connection.interrupt(),
      })),
      ours: withOurs((ctx) => db.run(ctx, sql)),
    };
    const opened: DuckDBConnection[] = [connection];
    for (let i = 0; i < 4; i++) opened.push(await instance.connect());
    let next = 1;
    const another = (): DuckDBConnection => opened[next++] ?? connection;
    const version = await connection.runAndReadAll("SELECT version()");
    return {
      server: `DuckDB ${(version.getRowsJS() as string[][])[0]?.[0]?.slice(1) ?? ""} in this process`,
      bare: "no bare cancel: an interrupt is a call, not a round trip",
      works: [work],
      costs: {
        what: "SELECT 1",
        arms: armsOf({
          name: "runAndReadAll",
          bare() {
            const own = another();
            return () => own.runAndReadAll("SELECT 1");
          },
          ours() {
            const own = withContext(another());
            return (ctx) => own.runAndReadAll(ctx, "SELECT 1");
          },
          is: (answer) => (answer as { getRowsJS(): unknown[][] }).getRowsJS()[0]?.[0] === 1,
        }),
      },
      close() {
        for (const one of opened) one.closeSync();
        instance.closeSync();
        return Promise.resolve();
      },
    };
  },
};
