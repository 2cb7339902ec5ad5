import { withContext } from "eightysix/postgres";
import driver from "postgres";
import { armsOf } from "../arms.ts";
import { WORK, type Driver, type Work } from "../driver.ts";
import { CPU, observe, SLEEP } from "../postgres.ts";
import { onDemand, promiseRace, sizeOf, withOurs } from "../ways.ts";

export const postgres: Driver = {
  name: "postgres",
  package: "postgres",
  async open(servers) {
    const url = await servers.postgres();
    const opened: driver.Sql[] = [];
    const newSql = (max: number): driver.Sql => {
      const sql = driver(url, { max, connection: { max_parallel_workers_per_gather: 0 } });
      opened.push(sql);
      return sql;
    };
    const observer = await observe(url);
    const sql = newSql(4);
    const db = withContext(sql);
    const work = (name: string, text: string): Work => {
      const marked = `/* bench postgres ${name} */ ${text}`;
      return {
        name,
        running: () => observer.running(marked),
        race: promiseRace(() => sql.unsafe(marked)),
        // Safe only here, where nothing else is sent on the connection.
        own: onDemand(".cancel()", () => {
          const query = sql.unsafe(marked).execute();
          return { answer: query, abort: () => query.cancel() };
        }),
        ours: withOurs((ctx) => db.query(ctx, sql.unsafe(marked))),
      };
    };
    const size = await sizeOf((n) => sql.unsafe(CPU(n)));
    return {
      server: observer.server,
      bare: observer.bare,
      works: [work("sleep", SLEEP(WORK / 1_000)), work("CPU", CPU(size))],
      costs: {
        what: "SELECT 1",
        arms: armsOf({
          name: "sql`…`",
          bare() {
            const own = newSql(1);
            return () => own`SELECT 1 AS n`;
          },
          ours() {
            const own = newSql(1);
            const ownDb = withContext(own);
            return (ctx) => ownDb.query(ctx, own`SELECT 1 AS n`);
          },
          is: (answer) => (answer as { n: number }[])[0]?.n === 1,
        }),
      },
      close: () => Promise.all([...opened.map((one) => one.end()), observer.close()]),
    };
  },
};
