/** The undocumented parts of mysql2 that driver.ts relies on. */
import callbacks from "mysql2";
import mysql from "mysql2/promise";
import { expect, onTestFinished, test } from "vitest";
import { describeMariadb, mariadbUrl } from "../../test/support/mariadb.ts";
import { isCoreConnection, isCorePool, type CoreConnection } from "./driver.ts";
import { coreOf } from "./pool.ts";

describeMariadb("mysql2", () => {
  test("still has a pool and a connection with callbacks beneath those with promises", async () => {
    const pool = mysql.createPool(mariadbUrl());
    onTestFinished(() => pool.end());
    expect(isCorePool(pool.pool)).toBe(true);
    expect(isCorePool(callbacks.createPool({}))).toBe(true);
    const connection = await pool.getConnection();
    expect(isCoreConnection(connection.connection)).toBe(true);
    connection.release();
  });

  test("still has the internal members of a connection that the adapter uses", async () => {
    const connection = await mysql.createConnection(mariadbUrl());
    onTestFinished(() => connection.destroy());
    const core = coreOf(connection) as CoreConnection;
    expect(core._handshakePacket?.serverVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(core.config.user).toBe(new URL(mariadbUrl()).username);
    expect(core.config).toHaveProperty("connectTimeout");
    expect(core.config.clientFlags).toBeTypeOf("number");
    expect(core.config).toHaveProperty("pool");
    expect(core.config).toHaveProperty("stream");
    expect(core.stream.remotePort).toBe(Number(new URL(mariadbUrl()).port || 3306));
    expect(core._command).toBeFalsy();
    const query = connection.query("do 1");
    expect(core._command).toBeTruthy();
    await query;
    expect(core._command).toBeFalsy();
  });

  test("still has a class for pooled connections that extends the plain one", async () => {
    const pool = mysql.createPool(mariadbUrl());
    onTestFinished(() => pool.end());
    const pooled = await pool.getConnection();
    const plain = await mysql.createConnection(mariadbUrl());
    onTestFinished(() => plain.destroy());
    const core = coreOf(pooled);
    expect(core).toHaveProperty("_pool");
    expect(Object.getPrototypeOf(core.constructor)).toBe(coreOf(plain).constructor);
    pooled.release();
  });
});
