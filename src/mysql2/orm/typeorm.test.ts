import mysql from "mysql2";
import { DataSource, EntitySchema, EntitySchemaOptions, QueryFailedError } from "typeorm";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { background, isCanceled, withCancel } from "../../index.ts";
import {
  describeOrm,
  firstOf,
  withCurrent,
  type Queries,
} from "../../../test/support/mysql/orm-suite.ts";
import {
  countsOf,
  expectWhole,
  idsIn,
  isRunning,
  PATIENT,
  table,
} from "../../../test/support/mysql/orms.ts";
import {
  describeServers,
  mark,
  observer,
  type Observer,
} from "../../../test/support/mysql/servers.ts";
import { failure } from "../../../test/support/orms.ts";
import { runWithContext } from "../../current/index.ts";
import { contextPool } from "../index.ts";

const queriesOf = (db: Pick<DataSource, "query" | "transaction">): Queries => ({
  one: async (text) => firstOf(await db.query(text)),
  transaction: (fn) => db.transaction((manager) => fn(queriesOf(manager))),
});

describeOrm({
  name: "TypeORM with contextPool",
  nests: true,
  open: withCurrent(
    async (pool, { name }) => {
      const driver = { ...mysql, createPool: () => pool };
      return queriesOf(await new DataSource({ type: name, driver }).initialize());
    },
    (error) => (error instanceof QueryFailedError ? error.driverError : error),
  ),
});

describeServers("TypeORM on mysql2", (server) => {
  let look: Observer;
  beforeEach(async () => {
    look = await observer(server.url());
  });

  /** A DataSource with a pool of one connection, and the name of its table for the entity "order". */
  async function dataSource() {
    const name = await table(server, look);
    let pool: mysql.Pool | undefined;
    const db = new DataSource({
      type: server.name,
      driver: {
        ...mysql,
        createPool: (options: mysql.PoolOptions) =>
          contextPool((pool = mysql.createPool(options)), PATIENT),
      },
      url: server.url(),
      poolSize: 1,
      entities: [
        new EntitySchema(
          Object.assign(new EntitySchemaOptions<{ id: number }>(), {
            name: "order",
            tableName: name,
            columns: { id: { type: Number, primary: true } },
          }),
        ),
      ],
    });
    await db.initialize();
    onTestFinished(() => db.destroy());
    return { db, pool: pool!, name };
  }

  test("rejects with a QueryFailedError whose driverError is ctx.err()", async () => {
    const { db, pool } = await dataSource();
    using ctx = withCancel(background());
    const text = `select sleep(60) ${mark()}`;
    const query = runWithContext(ctx, () => failure(db.query(text)));
    await isRunning(look, text);
    ctx.cancel();
    const error = await query;
    expect(error).toBeInstanceOf(QueryFailedError);
    expect((error as QueryFailedError).driverError).toBe(ctx.err());
    expect(isCanceled(error)).toBe(false); // there is no cause
    await expectWhole(pool);
  });

  test("maps its entities inside a transaction that stops", async () => {
    const { db, pool, name } = await dataSource();
    using ctx = withCancel(background());
    const text = `select sleep(60) ${mark()}`;
    const done = runWithContext(ctx, () =>
      failure(
        db.transaction("SERIALIZABLE", async (manager) => {
          await manager.insert("order", { id: 1 });
          expect(await manager.find("order")).toEqual([{ id: 1 }]);
          await manager.query(text);
        }),
      ),
    );
    await isRunning(look, text);
    ctx.cancel();
    expect(await done).toMatchObject({ driverError: ctx.err() });
    await expectWhole(pool);
    expect(await idsIn(look, name)).toEqual([]);
  });

  test("works as before without a context, and ends its pool", async () => {
    const { db, pool, name } = await dataSource();
    await db.transaction((manager) => manager.insert("order", { id: 1 }));
    expect(await failure(db.query("selekt"))).toMatchObject({ errno: 1064 });
    await expectWhole(pool);
    expect(await idsIn(look, name)).toEqual([1]);
    const stream = await db.createQueryBuilder("order", "o").stream();
    const rows: unknown[] = [];
    for await (const row of stream) rows.push(row);
    expect(rows).toEqual([{ o_id: 1 }]);
    expect(countsOf(pool).total).toBe(1);
  });
});
