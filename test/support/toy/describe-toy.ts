/** The toy, described for the conformance kit. */
import type { Context } from "../../../src/index.ts";
import { lines, type AdapterUnderTest, type Task } from "../../../src/testing/conformance/index.ts";
import { withContext } from "./adapter.ts";
import type { Breach } from "./breaches.ts";
import { ToyError, ToyPool } from "./driver.ts";
import { ToyServer } from "./server.ts";

type ToyDb = ReturnType<typeof withContext>;

interface ToyDescription {
  readonly server: ToyServer;
  readonly adapter: AdapterUnderTest<ToyDb>;
  /** The description with the required parts only. */
  readonly basics: AdapterUnderTest<ToyDb>;
}

/** Returns a toy server, and the description of an adapter for it. Close the server. */
export async function describeToy(breach?: Breach): Promise<ToyDescription> {
  const server = await ToyServer.start();
  const sleep = async (
    db: Pick<ToyDb, "command">,
    ctx: Context,
    { i, ms, tag }: Task,
  ): Promise<number> => Number(await db.command(ctx, `SLEEP ${ms} ${i} ${tag}`));
  const basics: AdapterUnderTest<ToyDb> = {
    name: "the toy",
    server,
    open({ host, port, connections, stopTimeout }) {
      const pool = new ToyPool({ host, port }, connections);
      return {
        db: withContext(pool, { stopTimeout, breach }),
        close() {
          pool.end();
          return Promise.resolve();
        },
        pool: {
          total: () => pool.total,
          idle: () => pool.idle.length,
          waiting: () => pool.waiting.length,
        },
        openTransactions: () => server.openTransactions(),
      };
    },
    run: sleep,
    quick: async (db, ctx, i) => Number(await db.command(ctx, `SLEEP 0 ${i} quick`)),
    isRunning: (tag) => server.isRunning(tag),
  };
  const adapter: AdapterUnderTest<ToyDb> = {
    ...basics,
    isStopRequest: (bytes) => bytes.toString().startsWith("STOP"),
    split: lines,
    fail: (db, ctx) => db.command(ctx, "FAIL"),
    isFailure: (error) => error instanceof ToyError && error.code === "failed",
    transaction: (db, ctx, fn) =>
      db.transaction(ctx, (tx) =>
        fn({
          run: (ctx, task) => sleep(tx, ctx, task),
          write: (ctx, n) => tx.command(ctx, `WRITE ${n}`),
        }),
      ),
    committed: () => Promise.resolve(server.takeCommitted()),
    connection: (db, ctx, fn) =>
      db.connection(ctx, (own) =>
        fn({
          run: (ctx, task) => sleep(own, ctx, task),
          begin: (ctx) => own.command(ctx, "BEGIN"),
          write: (ctx, n) => own.command(ctx, `WRITE ${n}`),
        }),
      ),
    stream: (db, ctx, task) => db.stream(ctx, task),
  };
  return { server, adapter, basics };
}
