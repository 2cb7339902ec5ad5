/**
 * A KILL reaches the connection's own thread on its own server, or nothing, with mysql2 and mariadb.
 *
 * In most of these tests an innocent client runs a statement in a thread that has the same id, under
 * the same user. All connections belong to a user that has no privileges.
 */
import mysql from "mysql2/promise";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../servers/temporary-directory.ts";
import { background, stopped, withCancel, withLedger, withTimeout } from "../../../src/index.ts";
import type { MysqlServer } from "../../../servers/mysql-server.ts";
import { failure } from "../orms.ts";
import type { Db, PoolSettings, TestDriver } from "./driver.ts";
import { mark, observer, until } from "./servers.ts";
import { startSwitch, type Switch, type SwitchOptions } from "./switch.ts";

/** The user of all connections. It has no privileges. */
const ACCOUNT = { user: "o'b\"r\\i`e", password: "o'b\"r" };

/** Milliseconds. */
const STOP_TIMEOUT = 400;

/**
 * The message with which a client of `caching_sha2_password` asks for the server's key: one byte. It is
 * the fourth message of a connection. It is the sixth if the client has begun with another plugin, as
 * mariadb and old versions of mysql2 do.
 * https://dev.mysql.com/doc/dev/mysql-server/latest/page_caching_sha2_authentication_exchanges.html
 */
const ASKS_FOR_KEY = ["\x01\0\0\x03\x02", "\x01\0\0\x05\x02"];

export function describeSameServer(driver: TestDriver): void {
  describe.skipIf(driver.server.missing() !== undefined)(
    `the KILL of eightysix/${driver.name} on ${driver.server.title}`,
    () => {
      let here: MysqlServer;
      let elsewhere: MysqlServer;
      beforeAll(async () => {
        const start = (): Promise<MysqlServer> => driver.server.start({ restarts: true });
        [here, elsewhere] = await Promise.all([start(), start()]);
        for (const server of [here, elsewhere]) await createAccount(server);
      }, 120_000);
      afterAll(async () => {
        for (const server of [here, elsewhere]) await server[Symbol.asyncDispose]();
      });

      const optionsFor = (address: object, more: PoolSettings = {}): PoolSettings => ({
        url: "mysql://127.0.0.1/",
        ...more,
        more: {
          ...ACCOUNT,
          ...address,
          ...(driver.name === "mariadb" && { allowPublicKeyRetrieval: true }),
        },
      });

      /** Opens a connection through a relay. Without `target`, the first goes `here`. */
      async function open(options: Partial<SwitchOptions>) {
        const relay = await startSwitch({
          target: (index) => (index === 0 ? here : elsewhere),
          ...options,
        });
        const address = options.path === undefined ? relay : { socketPath: options.path };
        const connection = await driver.connection(
          optionsFor(addressOf(address), { stopTimeout: STOP_TIMEOUT }),
        );
        return { relay, db: connection.db, query: (sql: string) => connection.query(sql) };
      }

      /** Opens the victim's connection and an innocent one that has the same id on another server. */
      async function openAlike(options: Partial<SwitchOptions>, at: object = elsewhere) {
        await alignThreadIds(here, elsewhere);
        const opened = await open(options);
        const innocent = await connectTo(at);
        const id = Number((await opened.query("select connection_id() as id"))[0]?.["id"]);
        expect(innocent.threadId).toBe(id);
        return { ...opened, innocent };
      }

      test("stops a statement of a user without privileges, whose name has quotes, and keeps the connection", async () => {
        const { db, query } = await open({ target: () => here });
        const before = await query("select connection_id() as id");
        expect(await cancelStatement(db, here)).toEqual(["stopped"]);
        expect(await query("select connection_id() as id")).toEqual(before);
      });

      // Without TLS, the client then asks for the server's key, and encrypts the password with it.
      test.skipIf(driver.server.name !== "mysql")(
        "stops a statement although the server has forgotten the password, so that it wants it again",
        async () => {
          const { relay, db } = await open({ target: () => here });
          const root = await observer(here.url);
          const keys = (): number =>
            ASKS_FOR_KEY.reduce((sum, message) => sum + relay.sent(message), 0);
          const before = keys();
          const states = await cancelStatement(db, here, async () => {
            await root.query("flush privileges");
          });
          expect(states).toEqual(["stopped"]);
          expect(keys()).toBe(before + 1);
        },
      );

      test("hits nothing on another server behind the same address", async () => {
        const { relay, db, innocent } = await openAlike({});
        const work = sleepOf(innocent);
        expect(await cancelStatement(db, here)).toEqual(["abandoned"]);
        expect(relay.sent("KILL QUERY")).toBeGreaterThan(0);
        expect(await work).toBe(0);
      });

      test("reaches its server if the address leads to several servers in turn", async () => {
        const { relay, db, innocent } = await openAlike({
          target: (index) => (index % 2 === 0 ? here : elsewhere),
        });
        const work = sleepOf(innocent);
        expect(await cancelStatement(db, here)).toEqual(["stopped"]);
        expect(relay.sent("KILL QUERY")).toBe(2);
        expect(await work).toBe(0);
      });

      test("reaches the new server after a failover, although its connection still leads to the old one", async () => {
        let current = here;
        const relay = await startSwitch({ target: () => current });
        const pool = driver.pool(optionsFor(addressOf(relay), { max: 1 }));
        const { db } = pool;
        expect(await cancelStatement(db, here)).toEqual(["stopped"]);
        const [own] = await pool.query("select connection_id() as id");
        current = elsewhere;
        const root = await observer(here.url);
        await root.query(`kill ${Number(own?.["id"])}`);
        await until(() =>
          pool.query("select 1").then(
            () => true,
            () => false,
          ),
        );
        expect(await cancelStatement(db, elsewhere)).toEqual(["stopped"]);
        expect(relay.sent("KILL QUERY")).toBe(3);
      });

      test("hits nothing after a restart, although the client's connection is still open", async () => {
        let isRestarting = false;
        const { db, query } = await open({
          target: () => here,
          passesOn: (index) => index > 0 || !isRestarting,
        });
        const id = Number((await query("select connection_id() as id"))[0]?.["id"]);
        let innocent: mysql.Connection | undefined;
        let work: Promise<unknown> | undefined;
        const states = await cancelStatement(db, here, async () => {
          isRestarting = true;
          await restart(here);
          innocent = await connectUntil(here, id);
          work = sleepOf(innocent);
        });
        expect(innocent?.threadId).toBe(id);
        expect(states).toEqual(["abandoned"]);
        expect(await work).toBe(0);
      });

      test("hits nothing on another server behind the same Unix socket", async () => {
        const directory = await temporaryDirectory();
        onTestFinished(() => directory.remove());
        const { relay, db, innocent } = await openAlike(
          {
            path: join(directory.path, "relay.sock"),
            target: (index) => ({ path: (index === 0 ? here : elsewhere).socketPath }),
          },
          { socketPath: elsewhere.socketPath },
        );
        const work = sleepOf(innocent);
        expect(await cancelStatement(db, here)).toEqual(["abandoned"]);
        expect(relay.sent("KILL QUERY")).toBeGreaterThan(0);
        expect(await work).toBe(0);
      });

      test("stops a statement over a Unix socket", async () => {
        const { db } = await driver.connection(optionsFor({ socketPath: here.socketPath }));
        expect(await cancelStatement(db, here)).toEqual(["stopped"]);
      });

      test("is not sent if a proxy numbers the connections itself", async () => {
        const innocent = await connectTo(here);
        const { relay, db } = await open({
          target: () => here,
          threadId: (index, id) => (index === 0 ? innocent.threadId : id),
        });
        const work = sleepOf(innocent);
        expect(await cancelStatement(db, here)).toEqual(["abandoned"]);
        expect(relay.sent("KILL QUERY")).toBe(0);
        expect(await work).toBe(0);
      });

      test("hits nothing if a proxy numbers the connections itself, and the first number is right by chance", async () => {
        const { relay, db } = await open({
          target: () => here,
          threadId: (index, id) => (index === 0 ? id : id + 1_000),
        });
        expect(await cancelStatement(db, here)).toEqual(["abandoned"]);
        expect(relay.sent("KILL QUERY")).toBeGreaterThan(0);
      });

      test("is not sent if the server does not say which thread the connection is", async () => {
        const { relay, db, query } = await open({ target: () => here });
        await query("set timestamp = 1000"); // what the server says of its start makes no sense now
        expect(await cancelStatement(db, here)).toEqual(["abandoned"]);
        expect(relay.sent("KILL QUERY")).toBe(0);
      });

      describe("the question which thread the connection is", () => {
        const asked = (relay: Switch): number => relay.sent("hex(user), hex(host)");

        test("is sent once for each connection to the server, before the first statement that can be stopped", async () => {
          const relay = await startSwitch({ target: () => here });
          const { db } = driver.pool(optionsFor(addressOf(relay), { max: 1 }));
          await db.query(background(), "select 1 as n");
          expect(asked(relay)).toBe(0);
          using ctx = withTimeout(background(), 60_000);
          for (let i = 0; i < 3; i++) await db.query(ctx, "select 1 as n");
          await db.transaction(ctx, (tx) => tx.query(ctx, "select 1 as n"));
          await db.connection(ctx, (own) => own.execute(ctx, "select 1 as n"));
          expect(asked(relay)).toBe(1);
        });

        test("is waited for until the stop timeout if the context ends, and the statement is not sent", async () => {
          let isSilent = false;
          const { relay, db } = await open({ target: () => here, passesOn: () => !isSilent });
          isSilent = true;
          using ctx = withCancel(withLedger(background()));
          const work = failure(db.query(ctx, "select 'mine'"));
          await until(() => asked(relay) === 1);
          ctx.cancel();
          expect(await work).toBe(ctx.err());
          expect(relay.sent("select 'mine'")).toBe(0);
          const states = (await stopped(ctx)).map(({ state }) => state);
          expect(states).toEqual(["abandoned"]);
        });

        test("opens no transaction on a connection without autocommit", async () => {
          const { relay, db, query } = await open({ target: () => here });
          const root = await observer(here.url);
          await query("set autocommit = 0");
          using ctx = withTimeout(background(), 60_000);
          await db.query(ctx, "do 0");
          expect(asked(relay)).toBe(1);
          const [transactions] = await root.query<mysql.RowDataPacket[]>(
            "select * from information_schema.innodb_trx",
          );
          expect(transactions).toEqual([]);
        });

        test("leaves what LAST_INSERT_ID() returns", async () => {
          const { relay, db, query } = await open({ target: () => here });
          await query("select last_insert_id(77)");
          using ctx = withTimeout(background(), 60_000);
          const rows = await db.query(ctx, "select last_insert_id() as n");
          expect(Number(rows[0]?.["n"])).toBe(77);
          expect(asked(relay)).toBe(1);
        });

        test("leaves the mode of the next transaction", async () => {
          const root = await observer(here.url);
          await root.query("create table if not exists test.numbers (n int) engine = innodb");
          const { hostname, port, username, password } = new URL(here.url);
          const relay = await startSwitch({
            target: () => ({ host: hostname, port: Number(port) }),
          });
          const account = { user: username, password: decodeURIComponent(password) };
          const options = optionsFor({ ...addressOf(relay), ...account });
          const connection = await driver.connection(options);
          await connection.query("set transaction read only");
          using ctx = withTimeout(background(), 60_000);
          await connection.db.query(ctx, "do 0");
          expect(asked(relay)).toBe(1);
          await connection.query("start transaction");
          expect(
            await failure(connection.query("insert into test.numbers values (1)")),
          ).toMatchObject({
            errno: 1792, // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
          });
        });

        test.each([
          ["FOUND_ROWS()", "select 1 union select 2", "select found_rows() as n", 2],
          ["ROW_COUNT()", "select 1", "select row_count() as n", -1],
          ["@@warning_count", "select cast('x' as signed)", "select @@warning_count as n", 1],
        ])("does not come between a statement and %s", async (_, first, second, n) => {
          const { relay, db, query } = await open({ target: () => here });
          await query(first);
          using ctx = withTimeout(background(), 60_000);
          const rows = await db.query(ctx, second);
          expect(Number(rows[0]?.["n"])).toBe(n);
          expect(asked(relay)).toBe(0);
        });
      });
    },
  );
}

/** Returns the options of an address, without what a driver would not know. */
function addressOf(address: object): object {
  const { host, port, socketPath } = address as Record<string, unknown>;
  return port === undefined ? { socketPath } : { host, port };
}

async function createAccount({ url }: MysqlServer): Promise<void> {
  const root = await mysql.createConnection(url);
  await root.query("create user ?@'%' identified by ?", [ACCOUNT.user, ACCOUNT.password]);
  await root.end();
}

/** Opens a connection of the same user. It closes with the test. */
async function connectTo(address: object): Promise<mysql.Connection> {
  const connection = await mysql.createConnection({ ...ACCOUNT, ...addressOf(address) });
  connection.on("error", () => undefined); // the server restarts
  onTestFinished(() => connection.destroy());
  return connection;
}

/** Opens connections one after another, until one has this id. */
async function connectUntil(address: object, id: number): Promise<mysql.Connection> {
  for (;;) {
    const connection = await connectTo(address);
    if (connection.threadId === id) return connection;
    if (connection.threadId > id) throw new Error(`there is a thread ${connection.threadId}`);
    connection.destroy();
  }
}

/** Makes the next connections of both servers have the same thread id. */
async function alignThreadIds(one: MysqlServer, other: MysqlServer): Promise<void> {
  const first = await connectTo(one);
  const second = await connectTo(other);
  const id = Math.max(first.threadId, second.threadId) + 1;
  for (const server of [one, other]) (await connectUntil(server, id)).destroy();
}

/** Runs a statement of an innocent client. Resolves with 0, or with anything else if it was killed. */
async function sleepOf(connection: mysql.Connection): Promise<unknown> {
  try {
    const [rows] = await connection.query<mysql.RowDataPacket[]>("select sleep(1.5) as n");
    return Number(rows[0]?.["n"]);
  } catch (error) {
    return error;
  }
}

/**
 * Runs a statement on `server` and cancels it, after `before` if that is given. Resolves with the
 * states of its receipts.
 */
async function cancelStatement(
  db: Db,
  { url }: MysqlServer,
  before?: () => Promise<void>,
): Promise<readonly string[]> {
  const look = await observer(url);
  using ctx = withCancel(withLedger(background()));
  const m = mark();
  // In MySQL, a statement that only sleeps succeeds if it is killed.
  const text = `select ${m} n from (select 1 as n union select 2) as two where sleep(60) = 0`;
  const work = failure(db.query(ctx, text));
  await until(async () => (await look.running(m)) === 1);
  await before?.();
  ctx.cancel();
  expect(await work).toBe(ctx.err());
  return (await stopped(ctx)).filter(({ what }) => what?.includes(m)).map(({ state }) => state);
}

/** Restarts a server. Its new start is at least two seconds later than the old one. */
async function restart({ url }: MysqlServer): Promise<void> {
  /** By the clock of this process, in seconds. It can be wrong by one. */
  const start = async (): Promise<number> => {
    const root = await mysql.createConnection(url);
    root.on("error", () => undefined);
    const [rows] = await root.query<mysql.RowDataPacket[]>("show global status like 'uptime'");
    root.destroy();
    return Date.now() / 1000 - Number(rows[0]?.["Value"]);
  };
  const before = await start();
  await until(() => Date.now() / 1000 > before + 4);
  const root = await mysql.createConnection(url);
  root.on("error", () => undefined);
  await root.query("shutdown").catch(() => undefined);
  root.destroy();
  await until(
    () =>
      start().then(
        (after) => after > before + 2,
        () => false,
      ),
    60_000,
  );
}
