/**
 * The behavior of postgres.js on which `find-socket.ts` relies, checked on the installed version.
 * For TLS, "a TLS connection that the server does not stop is destroyed" in `transports.test.ts`
 * checks it.
 */
import { once } from "node:events";
import { connect, Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { postgresUrl } from "../../test/support/postgres.ts";
import { pidOf, testSql, wholePool, type TestSql } from "../../test/support/postgresjs.ts";
import { copyQuery, leaseQueryOf, type Connection, type Pool } from "./driver.ts";
import { terminateAndFindSocket } from "./find-socket.ts";

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

const endOfSocket = (): PropertyDescriptor | undefined =>
  Object.getOwnPropertyDescriptor(Socket.prototype, "end");

describe("the driver's `terminate` of a connection", () => {
  test("calls `end` of the connection's own socket before it returns", async () => {
    const sql = testSql({ max: 1 });
    const [row] = await sql<{ port: number }[]>`select inet_client_port() as port`;
    const socket = terminateAndFindSocket(await connectionOf(sql));
    expect(socket).toBeInstanceOf(Socket);
    expect(socket!.localPort).toBe(row!.port);
    socket!.destroy();
  });

  test("calls `end` of a socket that the user has opened", async () => {
    const { hostname, port } = new URL(postgresUrl());
    const sockets: Socket[] = [];
    const socket = (): Promise<Socket> =>
      new Promise((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => resolve(socket));
        socket.once("error", reject);
        sockets.push(socket);
      });
    const sql = testSql({ max: 1, socket } as never);
    const found = terminateAndFindSocket(await connectionOf(sql));
    expect(sockets).toHaveLength(1);
    expect(found).toBe(sockets[0]);
    found!.destroy();
  });

  test("sends no goodbye and leaves the socket open, so that the adapter can destroy it", async () => {
    const sql = testSql({ max: 1 });
    const socket = terminateAndFindSocket(await connectionOf(sql))!;
    expect([socket.readyState, socket.writableEnded]).toEqual(["open", false]);
    socket.destroy();
  });

  test("calls `end` of no socket that is closing already", async () => {
    const sql = testSql({ max: 1 });
    const connection = await connectionOf(sql);
    terminateAndFindSocket(connection)!.destroy();
    expect(terminateAndFindSocket(connection)).toBeUndefined();
  });
});

test("when the socket that was found is destroyed, its place in the pool becomes free", async () => {
  const sql = testSql({ max: 1 });
  const before = await wholePool(sql);
  const socket = terminateAndFindSocket(await connectionOf(sql))!;
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
  const after = await wholePool(sql);
  expect(after).toHaveLength(1);
  expect(after).not.toEqual(before);
});

describe("`Socket.prototype.end` is as it was before", () => {
  test("after a call", async () => {
    const before = endOfSocket();
    const sql = testSql({ max: 1 });
    terminateAndFindSocket(await connectionOf(sql))!.destroy();
    expect(endOfSocket()).toEqual(before);
  });

  test("after a `terminate` that throws", () => {
    const before = endOfSocket();
    const terminate = (): void => {
      throw new Error("terminate has thrown");
    };
    expect(() => terminateAndFindSocket({ terminate })).toThrow("terminate has thrown");
    expect(endOfSocket()).toEqual(before);
  });

  test("if an instrumentation has replaced it", async () => {
    const before = endOfSocket()!;
    onTestFinished(() => void Object.defineProperty(Socket.prototype, "end", before));
    const original: unknown = Reflect.get(Socket.prototype, "end");
    const instrumented = { configurable: true, get: () => original };
    Object.defineProperty(Socket.prototype, "end", instrumented);
    const sql = testSql({ max: 1 });
    terminateAndFindSocket(await connectionOf(sql))!.destroy();
    expect(endOfSocket()).toMatchObject({ get: instrumented.get });
  });
});
