import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import {
  afterAll,
  beforeAll,
  beforeEach,
  expect,
  onTestFinished,
  test as anyTest,
  vi,
} from "vitest";
import { background, isCanceled, withCancel } from "../../index.ts";
import {
  mark,
  observer,
  postgresUrl,
  testClient,
  until,
  type Observer,
} from "../../../test/support/postgres.ts";
import { expectWhole, failure, idsIn, isRunning } from "../../../test/support/orms.ts";
import {
  generatePrisma,
  hasOtherPg,
  type GeneratedPrisma,
  type Prisma,
} from "../../../test/support/prisma.ts";
import { runWithContext } from "../../current/index.ts";
import { contextPool, prismaExtension } from "../index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const test = anyTest.skipIf(hasOtherPg());

const name = `orm_prisma_${process.pid}`;
let generated: GeneratedPrisma;
let look: Observer;

beforeAll(async () => {
  generated = await generatePrisma(name);
});
afterAll(() => generated.remove());
beforeEach(async () => {
  look = await observer();
  await look.query(`create table ${name} (id int primary key, note text)`);
  onTestFinished(async () => {
    const client = await testClient();
    await client.query(`drop table if exists ${name}`);
  });
});

async function prisma(max = 1): Promise<{ db: Prisma; plain: Prisma; pool: pg.Pool }> {
  const pool = new (contextPool(pg.Pool))({ connectionString: postgresUrl(), max });
  const plain = new generated.PrismaClient({ adapter: new PrismaPg(pool) });
  const db = plain.$extends(prismaExtension);
  onTestFinished(async () => {
    await db.$disconnect();
    await pool.end();
  });
  await db.$connect();
  return { db, plain, pool };
}

test("a Prisma query stops on the server when its context ends", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60)::text ${mark()}`;
  const query = runWithContext(ctx, () => failure(db.$queryRawUnsafe(text)));
  await isRunning(look, text);
  ctx.cancel();
  expect(await query).toBe(ctx.err());
  expect(await look.running(text)).toBe(0);
  expectWhole(pool);
});

test("the query of a Prisma model that waits for a lock stops", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const holder = await testClient();
  await holder.query(`begin; lock table ${name}`);
  const query = runWithContext(ctx, () => failure(db.order.findMany()));
  await isRunning(look, name);
  ctx.cancel();
  expect(await query).toBe(ctx.err());
  expect(await look.running(name)).toBe(0);
  expectWhole(pool);
});

test("an interactive Prisma transaction stops, is rolled back, and its connection is used again", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60)::text ${mark()}`;
  const done = runWithContext(ctx, () =>
    failure(
      db.$transaction(async (tx) => {
        await tx.order.create({ data: { id: 1 } });
        await tx.$queryRawUnsafe(text);
      }),
    ),
  );
  await isRunning(look, text);
  ctx.cancel();
  expect(await done).toBe(ctx.err());
  await until(() => pool.idleCount === 1);
  expectWhole(pool);
  expect(await idsIn(look, name)).toEqual([]);
});

test("`findUnique` stops inside an interactive Prisma transaction", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const holder = await testClient();
  const done = runWithContext(ctx, () =>
    failure(
      db.$transaction(async (tx) => {
        await tx.$executeRawUnsafe("select 1");
        await holder.query(`begin; lock table ${name}`);
        await tx.order.findUnique({ where: { id: 1 } });
      }),
    ),
  );
  await isRunning(look, name);
  ctx.cancel();
  expect(await done).toBe(ctx.err());
  await until(() => pool.idleCount === 1);
  expectWhole(pool);
});

test("a Prisma transaction whose context ends before its COMMIT is rolled back", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const done = runWithContext(ctx, () =>
    failure(
      db.$transaction(async (tx) => {
        await tx.order.create({ data: { id: 1 } });
        ctx.cancel();
      }),
    ),
  );
  expect(await done).toBe(ctx.err());
  await until(() => pool.idleCount === pool.totalCount);
  expect(pool.waitingCount).toBe(0);
  expect(await idsIn(look, name)).toEqual([]);
  expect(await db.order.findMany()).toEqual([]);
});

test("a wait for a connection of Prisma rejects when the context ends", async () => {
  const { db, pool } = await prisma();
  const holder = await pool.connect();
  using ctx = withCancel(background());
  const waiting = runWithContext(ctx, () => failure(db.order.findMany()));
  const transaction = runWithContext(ctx, () =>
    failure(db.$transaction((tx) => tx.order.findMany())),
  );
  await until(() => pool.waitingCount === 2);
  ctx.cancel();
  expect(await waiting).toBe(ctx.err());
  expect(await transaction).toBe(ctx.err());
  holder.release();
  await until(() => pool.waitingCount === 0);
  expectWhole(pool);
});

test("batched Prisma operations of two requests do not stop when the other request ends", async () => {
  const { db, pool } = await prisma(4);
  await look.query(`insert into ${name} values (1), (2)`);
  const holder = await testClient();
  using first = withCancel(background());
  using second = withCancel(background());
  await holder.query(`begin; lock table ${name}`);
  const a = runWithContext(first, () => failure(db.order.findUnique({ where: { id: 1 } })));
  const b = runWithContext(second, () => db.order.findUnique({ where: { id: 2 } }));
  const c = runWithContext(second, () =>
    db.$transaction([db.order.findMany(), db.order.findMany()]),
  );
  const d = runWithContext(first, () => failure(db.$transaction([db.order.findMany()])));
  await until(async () => (await look.running(name)) >= 3);
  first.cancel();
  expect(await a).toBe(first.err());
  expect(await d).toBe(first.err());
  await holder.query("rollback");
  expect(await b).toMatchObject({ id: 2 });
  expect(await c).toHaveLength(2);
  await until(() => pool.idleCount === pool.totalCount);
  expect(pool.waitingCount).toBe(0);
});

test("a Prisma query that runWithContext returns has started under that context", async () => {
  const { db, pool } = await prisma();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60)::text ${mark()}`;
  const query = failure(runWithContext(ctx, () => db.$queryRawUnsafe(text)));
  await isRunning(look, text);
  ctx.cancel();
  expect(await query).toBe(ctx.err());
  expectWhole(pool);
});

test("without prismaExtension, Prisma's error has the code of the context's error", async () => {
  const { plain } = await prisma();
  using ctx = withCancel(background());
  const text = `select pg_sleep(60)::text ${mark()}`;
  const query = runWithContext(ctx, () => failure(plain.$queryRawUnsafe(text)));
  await isRunning(look, text);
  ctx.cancel();
  const error = await query;
  expect(error).toMatchObject({
    name: "PrismaClientKnownRequestError",
    code: "ERR_CONTEXT_CANCELED",
  });
  expect(isCanceled(error)).toBe(false); // there is no cause
});

test("an array of Prisma operations under a context is one transaction", async () => {
  const { db, pool } = await prisma();
  const insert = (id: number) => db.order.create({ data: { id } });
  await runWithContext(background(), () => db.$transaction([insert(1), insert(2)]));
  expect(await idsIn(look, name)).toEqual([1, 2]);
  await expect(
    runWithContext(background(), () => db.$transaction([insert(3), insert(1)])),
  ).rejects.toMatchObject({ code: "P2002" });
  expect(await idsIn(look, name)).toEqual([1, 2]);
  using gone = withCancel(background());
  gone.cancel();
  const late = runWithContext(gone, () => failure(db.$transaction([insert(4)])));
  expect(await late).toBe(gone.err());
  expect(await idsIn(look, name)).toEqual([1, 2]);
  expectWhole(pool);
});
