import knex, { type Knex } from "knex";
import type { Pool, PoolConnection } from "mysql2";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { background, withCancel } from "../../index.ts";
import {
  describeOrm,
  firstOf,
  withCurrent,
  type Queries,
} from "../../../test/support/mysql/orm-suite.ts";
import {
  callbackPool,
  connect,
  countsOf,
  expectWhole,
  idsIn,
  isRunning,
  PATIENT,
  promisePool,
  table,
} from "../../../test/support/mysql/orms.ts";
import {
  describeServers,
  mark,
  observer,
  until,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import { failure } from "../../../test/support/orms.ts";
import { runWithContext, runWithoutContext } from "../../current/index.ts";
import { contextPool } from "../index.ts";

const log = { warn: () => undefined }; // Knex warns when a wait for a connection has ended

const queriesOf = (db: Knex): Queries => ({
  one: async (text) => firstOf(((await db.raw(text)) as unknown[])[0]),
  transaction: (fn) => db.transaction((trx) => fn(queriesOf(trx))),
});

describeOrm({
  name: "Knex with contextPool",
  nests: true,
  open: withCurrent((pool) =>
    queriesOf(knex({ client: "mysql2", connectionPool: pool.promise(), log })),
  ),
});

describeServers("Knex on mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  test("over a pool with promises builds and runs its queries", async () => {
    const name = await table(server, look);
    const pool = promisePool(server);
    const db = knex({ client: "mysql2", connectionPool: contextPool(pool, PATIENT), log });
    using ctx = withCancel(background());
    await runWithContext(ctx, () => db(name).insert([{ id: 1 }, { id: 2 }]));
    expect(await runWithContext(ctx, () => db(name).where("id", ">", 1))).toEqual([{ id: 2 }]);
    ctx.cancel();
    expect(await failure(runWithContext(ctx, () => db(name).select()))).toBe(ctx.err());
    await expectWhole(pool);
  });

  test("starts a query that runWithContext returns under that context", async () => {
    const pool = promisePool(server);
    const db = knex({ client: "mysql2", connectionPool: contextPool(pool, PATIENT) });
    using ctx = withCancel(background());
    const text = `select sleep(60) ${mark()}`;
    const query = failure(runWithContext(ctx, () => db.raw(text)));
    await isRunning(look, text);
    ctx.cancel();
    expect(await query).toBe(ctx.err());
    await expectWhole(pool);
  });

  test("stops a stream when the context ends", async () => {
    const pool = promisePool(server);
    const db = knex({ client: "mysql2", connectionPool: contextPool(pool, PATIENT) });
    using ctx = withCancel(background());
    const text = `select a.seq, repeat('x', 500) as t from numbers a, numbers b ${mark()}`;
    let rows = 0;
    const reading = runWithContext(ctx, () =>
      failure(
        (async () => {
          for await (const _ of db.raw(text).stream()) rows++;
        })(),
      ),
    );
    await until(() => rows > 0);
    ctx.cancel();
    expect(await reading).toBe(ctx.err());
    await expectWhole(pool);
    expect(await look.running(text)).toBe(0);
  });

  test("with a pool of its own over a context pool stops a transaction and rolls it back", async () => {
    const name = await table(server, look);
    const pool = callbackPool(server);
    const db = knex({ client: "mysql2", connection: {}, pool: { min: 0, max: 1 } });
    onTestFinished(() => db.destroy());
    leaseFrom(db, contextPool(pool, PATIENT));
    for (let round = 0; round < 2; round++) {
      using ctx = withCancel(background());
      const text = `select sleep(60) ${mark()}`;
      const done = runWithContext(ctx, () =>
        failure(
          db.transaction(async (trx) => {
            await trx(name).insert({ id: 1 });
            await trx.raw(text);
          }),
        ),
      );
      await isRunning(look, text);
      ctx.cancel();
      expect(await done).toBe(ctx.err());
      expect(await idsIn(look, name)).toEqual([]);
      const late = runWithContext(ctx, () => failure(db(name).insert({ id: 1 })));
      expect(await late).toBe(ctx.err());
    }
    expect(countsOf(pool).total).toBe(1);
  });
});

/** Lets Knex's own pool lease its connections from `pool`, as Knex before 3.3 needs. */
function leaseFrom(db: Knex, pool: Pool): void {
  Object.assign(db.client as object, {
    // Without a context: the connection must not belong to the request that needs it first.
    acquireRawConnection: () => runWithoutContext(() => connect(pool)),
    destroyRawConnection: async (connection: PoolConnection) => connection.destroy(),
  });
}
