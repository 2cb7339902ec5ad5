/** What the real driver sends, and how it handles answers. `mongo-responder.ts` stands in for a server. */
import mongodb from "mongodb/package.json" with { type: "json" };
import { MongoClient, MongoServerError, type Collection, type Filter, type WithId } from "mongodb";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import { startResponder, type Received } from "../../test/support/mongo-responder.ts";
import { until } from "../../test/support/postgres.ts";
import {
  background,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  working,
  type Context,
} from "../index.ts";
import { withContext, type ContextCollection } from "./index.ts";

interface Order {
  customer: string;
  items: string[];
  open: boolean;
}

async function connect(options: { maxPoolSize?: number } = {}) {
  const server = await startResponder();
  const client = new MongoClient(server.url, options);
  onTestFinished(() => client.close());
  const raw = client.db("shop").collection<Order>("orders");
  return { server, client, raw, orders: withContext(raw) };
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => new Error(`succeeded: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );

const batch = (docs: object[], id: bigint | number = 0) => ({
  ok: 1,
  cursor: { id: BigInt(id), ns: "shop.orders", firstBatch: docs },
});
const session = ({ command }: Received) =>
  (command["lsid"] as { id: { toString(how: "hex"): string } }).id.toString("hex");
const killedSession = ({ command }: Received) =>
  (command["killSessions"] as [{ id: { toString(how: "hex"): string } }])[0].id.toString("hex");

type Orders = ContextCollection<Collection<Order>>;
const filter = { customer: "c" };
const writes: [command: string, start: (orders: Orders, ctx: Context) => Promise<unknown>][] = [
  ["insert", (o, ctx) => o.insertOne(ctx, { customer: "c", items: [], open: true })],
  ["insert", (o, ctx) => o.insertMany(ctx, [{ customer: "c", items: [], open: true }])],
  [
    "insert",
    (o, ctx) =>
      o.bulkWrite(ctx, [{ insertOne: { document: { customer: "c", items: [], open: true } } }]),
  ],
  ["update", (o, ctx) => o.updateOne(ctx, filter, { $set: { open: false } })],
  ["update", (o, ctx) => o.updateMany(ctx, filter, { $set: { open: false } })],
  ["update", (o, ctx) => o.replaceOne(ctx, filter, { customer: "d", items: [], open: true })],
  ["delete", (o, ctx) => o.deleteOne(ctx, filter)],
  ["delete", (o, ctx) => o.deleteMany(ctx, filter)],
  ["findAndModify", (o, ctx) => o.findOneAndUpdate(ctx, filter, { $set: { open: false } })],
  [
    "findAndModify",
    (o, ctx) => o.findOneAndReplace(ctx, filter, { customer: "d", items: [], open: true }),
  ],
  ["findAndModify", (o, ctx) => o.findOneAndDelete(ctx, filter)],
];
const reads: typeof writes = [
  ["find", (o, ctx) => o.find(ctx, filter).toArray()],
  ["find", (o, ctx) => o.findOne(ctx, filter)],
  ["aggregate", (o, ctx) => o.aggregate(ctx, [{ $match: filter }]).toArray()],
  ["aggregate", (o, ctx) => o.countDocuments(ctx, filter)],
  ["count", (o, ctx) => o.estimatedDocumentCount(ctx)],
  ["distinct", (o, ctx) => o.distinct(ctx, "customer")],
];

test("methods take and return the filters, documents and results of the driver", async () => {
  const { orders, client } = await connect();
  const ctx = background();
  const types = () => {
    expectTypeOf(orders.find(ctx, { open: true }).toArray()).resolves.toEqualTypeOf<
      WithId<Order>[]
    >();
    expectTypeOf(
      orders.findOne(ctx, { customer: /x/ }),
    ).resolves.toEqualTypeOf<WithId<Order> | null>();
    expectTypeOf(orders.findOne<{ customer: string }>(ctx)).resolves.toEqualTypeOf<{
      customer: string;
    } | null>();
    expectTypeOf(orders.updateOne).parameter(1).toEqualTypeOf<Filter<Order>>();
    expectTypeOf(orders.insertOne).returns.toEqualTypeOf<
      ReturnType<Collection<Order>["insertOne"]>
    >();
    expectTypeOf(orders.distinct(ctx, "items")).resolves.toEqualTypeOf<string[]>();
    expectTypeOf(orders.distinct(ctx, "items.0")).resolves.toEqualTypeOf<unknown[]>();
    const update = { $set: { open: false } };
    expectTypeOf(
      orders.findOneAndUpdate(ctx, filter, update),
    ).resolves.toEqualTypeOf<WithId<Order> | null>();
    const meta = orders.findOneAndUpdate(ctx, filter, update, { includeResultMetadata: true });
    expectTypeOf(meta).resolves.toHaveProperty("lastErrorObject");
    expectTypeOf(orders.aggregate<{ n: number }>(ctx, []).toArray()).resolves.toEqualTypeOf<
      { n: number }[]
    >();
    // @ts-expect-error: there is no such field
    void orders.insertOne(ctx, { customer: "c", items: [], open: true, color: 1 });
    // @ts-expect-error: it is a boolean
    void orders.updateOne(ctx, filter, { $set: { open: "no" } });
    // @ts-expect-error: the context comes first
    void orders.findOne({ customer: "c" });
    void withContext(client.db("shop")).command(ctx, { ping: 1 });
  };
  expectTypeOf(types).toBeFunction();
});

test("results come back, batch by batch", async () => {
  const { server, orders, client } = await connect();
  server.answer("find", () => batch([{ _id: 1 }, { _id: 2 }], 7));
  server.answer("getMore", () => ({
    ok: 1,
    cursor: { id: 0n, ns: "shop.orders", nextBatch: [{ _id: 3 }] },
  }));
  server.answer("insert", () => ({ ok: 1, n: 1 }));
  const ctx = background();
  expect(await orders.find(ctx, {}, { sort: { day: 1 } } as never).toArray()).toEqual([
    { _id: 1 },
    { _id: 2 },
    { _id: 3 },
  ]);
  expect(server.named("find")[0]?.command["sort"]).toBeDefined();
  const { acknowledged } = await orders.insertOne(ctx, { customer: "c", items: [], open: true });
  expect(acknowledged).toBe(true);
  expect(await withContext(client.db("shop")).command(ctx, { ping: 1 })).toMatchObject({ ok: 1 });
  expect(server.named("killSessions")).toEqual([]);
});

test.each([...reads, ...writes])(
  "`%s` is stopped by `killSessions` and keeps its connection: %s",
  async (name, start) => {
    const { server, orders } = await connect({ maxPoolSize: 2 });
    server.answer(name, (one) => server.untilKilled(one));
    using ctx = withCancel(withLedger(background()));
    const answer = failure(start(orders, ctx));
    await until(() => server.named(name).length === 1);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    const [sent] = server.named(name);
    const [kill] = server.named("killSessions");
    expect(killedSession(kill!)).toBe(session(sent!));
    expect(kill!.command["$db"]).toBe("admin");
    expect(sent!.gone).toBe(false);
    expect(server.named(name)).toHaveLength(1); // it is not tried again
    expect(await stopped(ctx)).toMatchObject([{ state: "stopped", reason: "canceled" }]);
  },
);

test.each([...reads, ...writes])(
  "`%s` sends the remaining time as maxTimeMS: %s",
  async (name, start) => {
    const { server, orders } = await connect();
    using ctx = withTimeout(background(), 60_000);
    await failure(start(orders, ctx));
    const { maxTimeMS } = server.named(name)[0]!.command as { maxTimeMS: number };
    expect(maxTimeMS).toBeGreaterThan(1_000);
    expect(maxTimeMS).toBeLessThanOrEqual(60_000);
    await failure(start(orders, background()));
    expect(server.named(name)[1]!.command).not.toHaveProperty("maxTimeMS");
  },
);

test("the caller's maxTimeMS is sent if it is shorter than the remaining time", async () => {
  const { server, orders, client } = await connect();
  using ctx = withTimeout(background(), 60_000);
  await failure(orders.deleteMany(ctx, {}, { maxTimeMS: 5 }));
  await failure(orders.deleteMany(ctx, {}, { maxTimeMS: 90_000 }));
  const [short, long] = server.named("delete").map((one) => Number(one.command["maxTimeMS"]));
  expect(short).toBe(5);
  expect(long).toBeLessThanOrEqual(60_000);
  const db = withContext(client.db("shop"));
  await db.command(ctx, { ping: 1 });
  await db.command(ctx, { ping: 1, maxTimeMS: 5 });
  const [whole, own] = server.named("ping").map((one) => Number(one.command["maxTimeMS"]));
  expect(whole).toBeGreaterThan(1_000);
  expect(own).toBe(5);
});

test("MaxTimeMSExpired becomes ctx.err() if the deadline has passed, and stays the driver's error before", async () => {
  const { server, orders } = await connect();
  const expired = { ok: 0, code: 50, codeName: "MaxTimeMSExpired", errmsg: "time limit" };
  server.answer("delete", () => expired);
  using ctx = withTimeout(background(), 60_000);
  expect(await failure(orders.deleteMany(ctx))).toBeInstanceOf(MongoServerError);
  server.answer("delete", async () => {
    await until(() => soon.err() !== undefined);
    return expired;
  });
  using soon = withTimeout(background(), 50);
  expect(await failure(orders.deleteMany(soon))).toBe(soon.err());
});

test("a result that arrives before the kill takes effect is returned", async () => {
  const { server, orders } = await connect();
  let answer!: () => void;
  server.answer(
    "insert",
    () => new Promise((resolve) => (answer = () => resolve({ ok: 1, n: 1 }))),
  );
  server.answer("killSessions", () => (answer(), { ok: 1 }));
  using ctx = withCancel(background());
  const inserted = orders.insertOne(ctx, { customer: "c", items: [], open: true });
  await until(() => server.named("insert").length === 1);
  ctx.cancel();
  expect((await inserted).acknowledged).toBe(true);
});

test("an operation settles, and its session is used again, only after the server has answered the kill", async () => {
  const { server, orders } = await connect();
  let answer!: () => void;
  server.answer("find", (one) => server.untilKilled(one));
  server.answer(
    "killSessions",
    () => new Promise((resolve) => (answer = () => resolve({ ok: 1 }))),
  );
  using ctx = withCancel(background());
  let settled = false;
  let fail!: () => void;
  server.answer(
    "find",
    () => new Promise((resolve) => (fail = () => resolve({ ok: 0, code: 11601, errmsg: "x" }))),
  );
  const found = failure(orders.findOne(ctx)).finally(() => (settled = true));
  await until(() => server.named("find").length === 1);
  ctx.cancel();
  await until(() => server.named("killSessions").length === 1);
  fail();
  server.answer("find", () => batch([]));
  await orders.findOne(background());
  expect(settled).toBe(false);
  const [canceled, next] = server.named("find");
  expect(session(next!)).not.toBe(session(canceled!));
  answer();
  expect(await found).toBe(ctx.err());
});

test("an operation that waits for a connection rejects at once when its context ends, and is never sent", async () => {
  const { server, orders } = await connect({ maxPoolSize: 1 });
  let free!: () => void;
  server.answer("find", () => new Promise((resolve) => (free = () => resolve(batch([])))));
  const first = orders.findOne(background());
  await until(() => server.named("find").length === 1);
  for (const [name, start] of [...reads, ...writes]) {
    using ctx = withCancel(withLedger(background()));
    const waiting = failure(start(orders, ctx));
    await until(() => working(ctx).length === 1);
    await new Promise((r) => setTimeout(r, 5));
    const before = performance.now();
    ctx.cancel();
    expect([name, await waiting]).toEqual([name, ctx.err()]);
    expect(performance.now() - before).toBeLessThan(400); // less than the time limit of killSessions
    expect(await stopped(ctx)).toMatchObject([{ state: "stopped" }]);
  }
  free();
  await first;
  expect(server.received).toHaveLength(1);
});

test("if no connection is free for `killSessions`, the socket is closed", async () => {
  const { server, orders } = await connect({ maxPoolSize: 1 });
  server.answer("delete", () => new Promise(() => undefined));
  using ctx = withCancel(withLedger(background()));
  const answer = failure(orders.deleteMany(ctx));
  await until(() => server.named("delete").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  await until(() => server.named("delete")[0]!.gone);
  expect(await stopped(ctx)).toMatchObject([{ state: "abandoned" }]);
  // The operation may still run in its session and would block the next write there.
  server.answer("delete", () => ({ ok: 1, n: 0 }));
  await orders.deleteMany(background());
  const [abandoned, next] = server.named("delete");
  expect(session(next!)).not.toBe(session(abandoned!));
});

test("if the server rejects `killSessions`, the socket is closed", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => new Promise(() => undefined));
  server.answer("killSessions", () => ({ ok: 0, code: 8000, errmsg: "not on this tier" }));
  using ctx = withCancel(background());
  const answer = failure(orders.findOne(ctx));
  await until(() => server.named("find").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  await until(() => server.named("find")[0]!.gone);
});

test("`killSessions` is sent again if it arrives before its command", async () => {
  const { server, orders } = await connect();
  server.answer("find", async (one) => {
    await until(() => server.named("killSessions").length > 0); // which found nothing to kill
    return server.untilKilled(one);
  });
  using ctx = withCancel(background());
  const answer = failure(orders.findOne(ctx));
  await until(() => server.named("find").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  expect(server.named("killSessions").length).toBeGreaterThan(1);
});

test("a read that may run on a secondary is stopped by closing its socket", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => new Promise(() => undefined));
  using ctx = withCancel(background());
  const answer = failure(orders.findOne(ctx, {}, { readPreference: "primaryPreferred" }));
  await until(() => server.named("find").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  await until(() => server.named("find")[0]!.gone);
  expect(server.named("killSessions")).toEqual([]);
});

test("a session that the caller passed is killed only if it is in a transaction", async () => {
  const { server, orders, client } = await connect();
  server.answer("delete", (one) => server.untilKilled(one));
  await using own = client.startSession();
  for (const inTransaction of [false, true]) {
    if (inTransaction) own.startTransaction();
    using ctx = withCancel(background());
    const before = server.named("delete").length;
    const answer = failure(orders.deleteMany(ctx, {}, { session: own }));
    await until(() => server.named("delete").length > before);
    ctx.cancel();
    expect(await answer).toBe(ctx.err());
    expect(server.named("killSessions").length > 0).toBe(inTransaction);
  }
  expect(own.hasEnded).toBe(false);
});

test("a cursor is closed on the server when its loop is left, and when its context ends between batches", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => batch([{ _id: 1 }, { _id: 2 }], 7));
  for await (const order of orders.find(background())) {
    expect(order).toEqual({ _id: 1 });
    break;
  }
  expect(server.named("killCursors")).toHaveLength(1);
  using ctx = withCancel(background());
  const loop = async () => {
    for await (const order of orders.find(ctx)) {
      void order;
      ctx.cancel();
      await until(() => server.named("killCursors").length === 2);
    }
  };
  expect(await failure(loop())).toBe(ctx.err());
});

test("a later fetch of a cursor is stopped by `killSessions`", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => batch([{ _id: 1 }], 7));
  server.answer("getMore", (one) => server.untilKilled(one));
  using ctx = withCancel(background());
  const answer = failure(orders.find(ctx).toArray());
  await until(() => server.named("getMore").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  expect(session(server.named("getMore")[0]!)).toBe(
    killedSession(server.named("killSessions")[0]!),
  );
});

test("a later fetch that may run on a secondary is stopped by closing its cursor", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => batch([{ _id: 1 }], 7));
  let killed!: () => void;
  server.answer(
    "getMore",
    () =>
      new Promise((resolve) => (killed = () => resolve({ ok: 0, code: 237, errmsg: "killed" }))),
  );
  server.answer("killCursors", () => (killed(), { ok: 1 }));
  using ctx = withCancel(withLedger(background()));
  const answer = failure(orders.find(ctx, {}, { readPreference: "secondaryPreferred" }).toArray());
  await until(() => server.named("getMore").length === 1);
  ctx.cancel();
  expect(await answer).toBe(ctx.err());
  expect(await stopped(ctx)).toMatchObject([{ state: "stopped" }]);
});

test("the driver's own errors are passed on, including that of a foreign kill", async () => {
  const { server, orders } = await connect();
  server.answer("find", () => ({ ok: 0, code: 11601, errmsg: "operation was interrupted" }));
  using ctx = withCancel(background());
  expect(await failure(orders.findOne(ctx))).toMatchObject({ code: 11601 });
  server.answer("insert", () => ({
    ok: 1,
    n: 0,
    writeErrors: [{ index: 0, code: 11000, errmsg: "duplicate key" }],
  }));
  const insert = orders.insertMany(ctx, [{ customer: "c", items: [], open: true }]);
  expect(await failure(insert)).toMatchObject({ code: 11000 });
});

test("an unacknowledged write has no session and returns at once", async () => {
  const { server, orders } = await connect();
  using ctx = withTimeout(background(), 60_000);
  const result = await orders.deleteMany(ctx, {}, { writeConcern: { w: 0 } });
  expect(result.acknowledged).toBe(false);
  await until(() => server.named("delete").length === 1);
});

test("no operation is sent if its context is done already, and the client does not connect", async () => {
  const { server, orders } = await connect();
  using ctx = withCancel(background());
  ctx.cancel();
  for (const [, start] of [...reads, ...writes]) {
    expect(await failure(start(orders, ctx))).toBe(ctx.err());
  }
  expect(server.received).toEqual([]);
});

test("a wrong argument throws a TypeError that says what to write", async () => {
  const { orders } = await connect();
  await expect(orders.deleteMany({} as never)).rejects.toThrow(/deleteMany\(ctx, …\)/);
  expect(() => orders.find({} as never)).toThrow(TypeError);
  const { signal } = new AbortController();
  await expect(orders.findOne(background(), {}, { signal })).rejects.toThrow(/withSignal/);
  expect(() => withContext({} as never)).toThrow(
    "takes a Collection or a Db, got an object of class Object; pass db.collection(name), or db",
  );
  expect(() => withContext(undefined as never)).toThrow(TypeError);
});

test("`withContext` that is given a MongoClient says to pass a collection or a database", async () => {
  const { client } = await connect();
  expect(() => withContext(client as never)).toThrow(
    "got an object of class MongoClient; pass client.db(name).collection(name), or client.db(name)",
  );
});

/** If one of the following tests fails, the driver has changed, and the adapter may change too. */
test("(the driver alone: if the reason of a signal is an AbortError, it throws the cause)", async () => {
  const { server, raw } = await connect();
  server.answer("find", () => new Promise(() => undefined));
  const controller = new AbortController();
  const found = failure(raw.findOne({}, { signal: controller.signal }));
  await until(() => server.named("find").length === 1);
  const cause = new MongoServerError({ message: "why" });
  controller.abort(Object.assign(new Error("left", { cause }), { name: "AbortError" }));
  expect(await found).toBe(cause);
});

const [, minor] = mongodb.version.split(".").map(Number);

// Before 7.9, timeoutMS was a limit of the driver itself and ended only the wait.
test.runIf(Number(minor) >= 9)("(the driver alone: its timeoutMS has no effect)", async () => {
  const { server, raw } = await connect();
  let answer!: () => void;
  server.answer("count", () => new Promise((resolve) => (answer = () => resolve({ ok: 1, n: 3 }))));
  const counted = raw.estimatedDocumentCount({ timeoutMS: 50 });
  await until(() => server.named("count").length === 1);
  await new Promise((r) => setTimeout(r, 150));
  answer();
  expect(await counted).toBe(3);
  expect(server.named("count")[0]!.command).not.toHaveProperty("maxTimeMS");
});

test("(the driver alone: a signal closes the socket of a write, and the session is used again)", async () => {
  const { server, raw } = await connect();
  server.answer("delete", () => new Promise(() => undefined));
  const controller = new AbortController();
  const options = { signal: controller.signal } as object;
  const deleted = failure(raw.deleteMany({}, options));
  await until(() => server.named("delete").length === 1);
  const reason = new Error("left");
  controller.abort(reason);
  expect(await deleted).toBe(reason);
  await until(() => server.named("delete")[0]!.gone);
  server.answer("delete", () => ({ ok: 1, n: 0 }));
  await raw.deleteMany({});
  const [abandoned, next] = server.named("delete");
  expect(session(next!)).toBe(session(abandoned!));
});
