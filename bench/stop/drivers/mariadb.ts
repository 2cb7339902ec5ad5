import { withContext } from "eightysix/mariadb";
import { createPool, type Pool } from "mariadb";
import { armsOf } from "../arms.ts";
import { WORK, type Driver, type Work } from "../driver.ts";
import { CPU, observe, SLEEP } from "../mysql.ts";
import { onDemand, promiseRace, sizeOf, timeLimit, withOurs } from "../ways.ts";

/** The driver on one of its servers. */
export const mariadbOn = (server: "mysql" | "mariadb"): Driver => ({
  name: `mariadb@${server}`,
  package: "mariadb",
  async open(servers) {
    const url = await servers[server]();
    const { hostname, port, username, password, pathname } = new URL(url);
    const pools: Pool[] = [];
    const newPool = (connectionLimit: number): Pool => {
      const pool = createPool({
        host: hostname,
        port: Number(port),
        user: decodeURIComponent(username),
        password: decodeURIComponent(password),
        database: pathname.slice(1),
        connectionLimit,
      });
      pools.push(pool);
      return pool;
    };
    const observer = await observe(url);
    const pool = newPool(4);
    const [victim, control] = [await newPool(1).getConnection(), newPool(1)];
    const db = withContext(pool);
    const work = (name: string, text: string): Work => {
      const sql = `/* bench mariadb ${name} */ ${text}`;
      return {
        name,
        running: () => observer.running(sql),
        race: promiseRace(() => pool.query(sql)),
        // The driver passes it to MariaDB: SET STATEMENT max_statement_time=… FOR … It refuses it on MySQL.
        own:
          server === "mysql"
            ? undefined
            : timeLimit("timeout", (timeout) => pool.query({ sql, timeout })),
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
          is: (answer) => (answer as { n: number }[])[0]?.n === 1,
        }),
      },
      async close() {
        victim.destroy();
        await Promise.all([...pools.map((one) => one.end()), observer.close()]);
      },
    };
  },
});
