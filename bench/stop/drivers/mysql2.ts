import { withContext } from "eightysix/mysql2";
import mysql from "mysql2/promise";
import { armsOf } from "../arms.ts";
import { WORK, type Driver, type Work } from "../driver.ts";
import { CPU, observe, SLEEP } from "../mysql.ts";
import { onDemand, promiseRace, sizeOf, timeLimit, withOurs } from "../ways.ts";

/** The driver on one of its servers. */
export const mysql2On = (server: "mysql" | "mariadb"): Driver => ({
  name: `mysql2@${server}`,
  package: "mysql2",
  async open(servers) {
    const uri = await servers[server]();
    const pools: mysql.Pool[] = [];
    const newPool = (connectionLimit: number): mysql.Pool => {
      const pool = mysql.createPool({ uri, connectionLimit });
      pools.push(pool);
      return pool;
    };
    const observer = await observe(uri);
    const pool = newPool(4);
    const [victim, control] = [await newPool(1).getConnection(), newPool(1)];
    const db = withContext(pool);
    const work = (name: string, text: string): Work => {
      const sql = `/* bench mysql2 ${name} */ ${text}`;
      return {
        name,
        running: () => observer.running(sql),
        race: promiseRace(() => pool.query(sql)),
        own: timeLimit("timeout", (timeout) => pool.query({ sql, timeout })),
        byHand: onDemand("KILL QUERY", () => ({
          answer: victim.query(sql),
          abort: () => void control.query(`kill query ${victim.threadId}`),
        })),
        ours: withOurs((ctx) => db.query(ctx, sql)),
      };
    };
    const size = await sizeOf((n) => pool.query(CPU(n)));
    return {
      server: observer.server,
      bare: observer.bare,
      works: [work("sleep", SLEEP(WORK / 1_000)), work("CPU", CPU(size))],
      costs: {
        what: "SELECT 1",
        arms: armsOf({
          name: "pool.query",
          bare() {
            const own = newPool(1);
            return () => own.query("SELECT 1 AS n");
          },
          ours() {
            const own = withContext(newPool(1));
            return (ctx) => own.query(ctx, "SELECT 1 AS n");
          },
          is: (answer) => (answer as [{ n: number }[]])[0][0]?.n === 1,
        }),
      },
      async close() {
        victim.destroy();
        await Promise.all([...pools.map((one) => one.end()), observer.close()]);
      },
    };
  },
});
