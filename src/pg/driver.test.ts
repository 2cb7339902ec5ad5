/** Compares the types in driver.ts and orm/cursor.ts with the inside of pg and pg-cursor. */
import Cursor from "pg-cursor";
import pg from "pg";
import { describe, expect, test } from "vitest";
import { testClient, testPool } from "../../test/support/postgres.ts";

const members = (object: object, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, typeof (object as Record<string, unknown>)[name]]));
const functions = (names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, "function"]));

describe("the inside of pg is as driver.ts describes it:", () => {
  test("a query has the methods that this adapter replaces or calls", () => {
    const names = [
      "submit",
      "requiresPreparation",
      "prepare",
      "handleRowDescription",
      "handleDataRow",
      "handleCommandComplete",
      "handlePortalSuspended",
      "handleCopyInResponse",
      "handleError",
      "handleReadyForQuery",
      "_getRows",
    ];
    expect(members(new pg.Query("select 1"), names)).toEqual(functions(names));
  });

  test("a connected client has the connection, the key and the states that this adapter reads", async () => {
    const client = await testClient();
    expect(members(client, ["processID", "secretKey", "host", "port", "readyForQuery"])).toEqual({
      processID: "number",
      secretKey: "number",
      host: "string",
      port: "number",
      readyForQuery: "boolean",
    });
    expect(members(client, ["hasExecuted"])).toEqual({ hasExecuted: "undefined" });
    await client.query("select 1");
    expect(members(client, ["hasExecuted"])).toEqual({ hasExecuted: "boolean" });
    expect((client.constructor as { Query?: unknown }).Query).toBe(pg.Query);
    const { connection } = client;
    const names = ["parse", "bind", "execute", "sync", "prependListener", "once", "removeListener"];
    expect(members(connection, names)).toEqual(functions(names));
    const ofStream = ["cork", "uncork", "destroy"];
    expect(members(connection.stream, ofStream)).toEqual(functions(ofStream));
  });

  test("a pool has a count of its clients, and its clients have a `release`", async () => {
    const pool = testPool();
    expect(members(pool, ["totalCount", "connect", "query"])).toEqual({
      totalCount: "number",
      connect: "function",
      query: "function",
    });
    const client = await pool.connect();
    expect(members(client, ["release"])).toEqual({ release: "function" });
    client.release();
  });
});

test("the inside of pg-cursor is as orm/cursor.ts describes it", () => {
  const cursor = new Cursor("select 1");
  const names = ["submit", "read", "close", "_ifNoData", "handleRowDescription"];
  expect(members(cursor, names)).toEqual(functions(names));
  const { state, _result } = cursor as unknown as { state: unknown; _result: object };
  expect(state).toBe("initialized");
  expect(members(_result, ["addFields"])).toEqual({ addFields: "function" });
});
