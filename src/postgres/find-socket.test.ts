/**
 * The behavior of postgres.js on which `find-socket.ts` relies, checked on the installed version.
 * For TLS, "a TLS connection that the server does not stop is destroyed" in `transports.test.ts`
 * checks it.
 */
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { Duplex } from "node:stream";
import { describe, expect, onTestFinished, test } from "vitest";
import { postgresUrl } from "../../test/support/postgres.ts";
import { pidOf, testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { copyQuery, leaseQueryOf, type Connection, type Pool } from "./driver.ts";
import { findSocket } from "./find-socket.ts";

/** Returns the connection on which the driver sends a query. */
async function connectionOf(sql: TestSql): Promise<Connection> {
  const pool = sql as unknown as Pool;
  await pidOf(sql); // a connection that is still being opened does not report itself
  return await new Promise((resolve, reject) => {
    let connection: Connection | undefined;
    const onexecute = (one: Connection): boolean => {
      connection = one;
      return true;
    };
    const query = copyQuery(leaseQueryOf(pool), {
      resolve: () => (connection ? resolve(connection) : reject(new Error("no connection"))),
      reject,
    });
    Object.assign(query.options, { onexecute });
    query.handler(query);
  });
}

/** Finds the socket of the driver's connection with a query of `bytes` spaces, and awaits its answer. */
async function find(sql: TestSql, bytes = 1_024): Promise<Duplex | undefined> {
  const connection = await connectionOf(sql);
  let found: Duplex | undefined;
  await new Promise<unknown>((resolve, reject) => {
    const query = (sql as unknown as Pool).unsafe(" ".repeat(bytes));
    found = findSocket(() => connection.execute(copyQuery(query, { resolve, reject })));
  });
  return found;
}

const writeOfStream = (): PropertyDescriptor | undefined =>
  Object.getOwnPropertyDescriptor(Duplex.prototype, "write");

describe("a query of 1,024 bytes", () => {
  test("is written to the connection's own socket before `execute` returns, and answered", async () => {
    const sql = testSql({ max: 1 });
    const [row] = await sql<{ port: number }[]>`select inet_client_port() as port`;
    const socket = await find(sql);
    expect(socket).toBeInstanceOf(Socket);
    expect((socket as Socket).localPort).toBe(row!.port);
  });

  test("is written to a socket that the user has opened", async () => {
    const { hostname, port } = new URL(postgresUrl());
    const sockets: Socket[] = [];
    const socket = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => resolve(socket));
        socket.once("error", reject);
        sockets.push(socket);
      });
    const found = await find(testSql({ max: 1, socket } as never));
    expect(sockets).toHaveLength(1);
    expect(found).toBe(sockets[0]);
  });
});

test("a small query is written later, so no socket is found", async () => {
  expect(await find(testSql({ max: 1 }), 1)).toBeUndefined();
});

test("when the socket that was found is destroyed, its place in the pool becomes free", async () => {
  const sql = testSql({ max: 1 });
  const before = await wholePool(sql);
  const socket = (await find(sql))!;
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
  const after = await wholePool(sql);
  expect(after).toHaveLength(1);
  expect(after).not.toEqual(before);
});

describe("`Duplex.prototype.write` is as it was before", () => {
  test("after a call", async () => {
    const before = writeOfStream();
    await find(testSql({ max: 1 }));
    expect(writeOfStream()).toEqual(before);
  });

  test("after a call that throws", () => {
    const before = writeOfStream();
    const write = (): void => {
      throw new Error("write has thrown");
    };
    expect(() => findSocket(write)).toThrow("write has thrown");
    expect(writeOfStream()).toEqual(before);
  });

  test("if an instrumentation has replaced it", async () => {
    const before = writeOfStream();
    onTestFinished(() => {
      delete (Duplex.prototype as Partial<Duplex>).write;
      if (before !== undefined) Object.defineProperty(Duplex.prototype, "write", before);
    });
    const original = Reflect.get(Duplex.prototype, "write") as (...args: unknown[]) => boolean;
    const write = function (this: Duplex, ...args: unknown[]): boolean {
      return original.apply(this, args);
    };
    const instrumented = { configurable: true, writable: true, value: write };
    Object.defineProperty(Duplex.prototype, "write", instrumented);
    expect(await find(testSql({ max: 1 }))).toBeInstanceOf(Socket);
    expect(writeOfStream()).toMatchObject({ value: write });
  });
});
