/** The undocumented parts of mysql2 that driver.ts relies on. */
import { once } from "node:events";
import callbacks from "mysql2";
import mysql from "mysql2/promise";
import { expect, onTestFinished, test } from "vitest";
import { describeServers } from "../../test/support/mysql/servers.ts";
import { isCoreConnection, isCorePool, type CoreConnection, type CorePool } from "./driver.ts";
import { commandOf, commandOfPool } from "./orm/unsent-command.ts";
import { coreOf } from "./pool.ts";

describeServers("mysql2", (server) => {
  test("still has a pool and a connection with callbacks beneath those with promises", async () => {
    const pool = mysql.createPool(server.url());
    onTestFinished(() => pool.end());
    expect(isCorePool(pool.pool)).toBe(true);
    expect(isCorePool(callbacks.createPool({}))).toBe(true);
    const connection = await pool.getConnection();
    expect(isCoreConnection(connection.connection)).toBe(true);
    connection.release();
  });

  test("still has the internal members of a connection that the adapter uses", async () => {
    const connection = await mysql.createConnection(server.url());
    onTestFinished(() => connection.destroy());
    const core = coreOf(connection) as CoreConnection;
    expect(core._handshakePacket?.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(core.config.user).toBe(new URL(server.url()).username);
    expect(core.config).toHaveProperty("connectTimeout");
    expect(core.config.clientFlags).toBeTypeOf("number");
    expect(core.config).toHaveProperty("pool");
    expect(core.config).toHaveProperty("stream");
    expect(core.stream.remotePort).toBe(Number(new URL(server.url()).port || 3306));
    expect(core._command).toBeFalsy();
    const query = connection.query("do 1");
    expect(core._command).toBeTruthy();
    await query;
    expect(core._command).toBeFalsy();
  });

  test("still has a class for pooled connections that extends the plain one", async () => {
    const pool = mysql.createPool(server.url());
    onTestFinished(() => pool.end());
    const pooled = await pool.getConnection();
    const plain = await mysql.createConnection(server.url());
    onTestFinished(() => plain.destroy());
    const core = coreOf(pooled);
    expect(core).toHaveProperty("_pool");
    expect(Object.getPrototypeOf(core.constructor)).toBe(coreOf(plain).constructor);
    pooled.release();
  });

  test("still makes commands that are not sent, with a stream of their events", async () => {
    const pool = callbacks.createPool({ uri: server.url() });
    onTestFinished(() => pool.promise().end());
    const connection = await new Promise<callbacks.PoolConnection>((resolve, reject) => {
      pool.getConnection((error, made) => (error ? reject(error) : resolve(made)));
    });
    const args = [{ sql: "select ?", rowsAsArray: true }, [1]] as const;
    for (const command of [
      commandOf(connection as unknown as CoreConnection, args),
      commandOfPool(pool as unknown as CorePool, args),
    ]) {
      expect(command).toMatchObject({ sql: "select ?", values: [1] });
      const rows: unknown[] = [];
      command._connection = { pause: () => undefined, resume: () => undefined };
      const stream = command.stream().on("data", (row) => rows.push(row));
      command.emit("result", [1], 0);
      command.emit("end");
      await once(stream, "end");
      expect(rows).toEqual([[1]]);
    }
    expect(args[0]).not.toHaveProperty("values");
    connection.release();
  });
});
