/** The undocumented parts of mariadb that driver.ts relies on. */
import mariadb from "mariadb";
import { expect, onTestFinished, test, vi } from "vitest";
import { describeMariadb } from "../../test/support/mariadb.ts";
import { mariadbConfig } from "../../test/support/mysql/driver.ts";
import { baseOf, type DriverConnection } from "./driver.ts";

describeMariadb("mariadb", () => {
  test("still passes its internal connection to listeners", async () => {
    const connection = await mariadb.createConnection(mariadbConfig());
    onTestFinished(() => connection.end());
    const base = baseOf(connection as unknown as DriverConnection);
    expect(base.opts.user).toBe(mariadbConfig().user);
    expect(base.opts).toHaveProperty("connectTimeout");
    expect(base.opts).toHaveProperty("initSql");
    expect(base.opts).toHaveProperty("sessionVariables");
    expect(base.opts).toHaveProperty("queryTimeout");
    expect(base.opts).toHaveProperty("multipleStatements");
    expect(base.info.threadId).toBe(connection.threadId);
    expect(base.socket?.remotePort).toBe(mariadbConfig().port);
    for (const method of ["connect", "query", "end", "fatalError"] as const) {
      expect(typeof base[method]).toBe("function");
    }
    const query = connection.query("select sleep(1)");
    await vi.waitUntil(() => base.activeReceiveCmd());
    await query;
    expect(base.activeReceiveCmd()).toBeFalsy();
  });

  test("still keeps the server's status flags in info.status", async () => {
    const connection = await mariadb.createConnection(mariadbConfig());
    onTestFinished(() => connection.end());
    const { info } = connection as unknown as DriverConnection;
    await connection.query("begin");
    expect(info.status & 1).toBe(1);
    await connection.query("rollback");
    expect(info.status & 1).toBe(0);
  });
});
