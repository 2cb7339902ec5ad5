/** The transaction status of a client, also of a pg that does not report it (before 8.21). */
import pg from "pg";
import { describe, expect, test } from "vitest";
import { testClient, testPool, until } from "../../test/support/postgres.ts";
import { background } from "../index.ts";
import type { Client } from "./driver.ts";
import { withContext } from "./index.ts";
import { trackTransactionStatus, transactionStatusOf } from "./transaction-status.ts";

class OldClient extends pg.Client {
  override getTransactionStatus = undefined as never;
}

async function oldClient(): Promise<pg.Client> {
  return Object.assign(await testClient(), { getTransactionStatus: undefined as never });
}

const statusOf = (client: pg.ClientBase): unknown =>
  transactionStatusOf(client as unknown as Client);
const track = (client: pg.ClientBase): void => trackTransactionStatus(client as unknown as Client);

describe.each([
  ["pg", testClient],
  ["a pg that does not report it", oldClient],
])("the transaction status of a client of %s", (_, create) => {
  test("follows its queries", async () => {
    const client = await create();
    track(client);
    const seen = [statusOf(client)];
    for (const text of ["select 1", "begin", "select 1/0", "rollback"]) {
      await client.query(text).catch(() => undefined);
      // A failed query can reject before the server is ready.
      await until(() => (client as unknown as Client).readyForQuery);
      seen.push(statusOf(client));
    }
    expect(seen).toEqual(["I", "I", "T", "E", "I"]);
  });

  test("is known in the callback of a query", async () => {
    const client = await create();
    track(client);
    const status = await new Promise((resolve) => {
      client.query("begin", () => resolve(statusOf(client)));
    });
    expect(status).toBe("T");
  });
});

describe("with a pg that does not report the transaction status,", () => {
  test("the status of a client that was used before is unknown until its next query", async () => {
    const client = await oldClient();
    await client.query("begin");
    track(client);
    expect(statusOf(client)).toBeUndefined();
    await client.query("select 1");
    expect(statusOf(client)).toBe("T");
  });

  test("a client that its owner has left in a transaction is asked, and the transaction is left alone", async () => {
    const client = await oldClient();
    await client.query("begin");
    const ctx = background();
    const db = withContext(client);
    await expect(db.transaction(ctx, () => 1)).rejects.toThrow(/inside a transaction already/);
    await db.connection(ctx, (own) => own.query(ctx, "create temp table mine (n int)"));
    await client.query("commit");
    expect((await client.query("select n from mine")).rows).toEqual([]);
    expect(await db.transaction(ctx, () => 1)).toBe(1);
  });

  test("a client that its owner has used outside of transactions can begin one", async () => {
    const client = await oldClient();
    await client.query("select 1");
    const ctx = background();
    expect(await withContext(client).transaction(ctx, () => 1)).toBe(1);
  });

  test("a transaction that a function leaves open on a pool's connection is rolled back", async () => {
    const pool = testPool({ max: 1, Client: OldClient });
    const ctx = background();
    await withContext(pool).connection(ctx, async (own) => {
      await own.query(ctx, "begin");
      await own.query(ctx, "create temp table mine (n int)");
    });
    const { rows } = await pool.query("select to_regclass('mine') as mine");
    expect(rows).toEqual([{ mine: null }]);
    expect(pool.totalCount).toBe(1);
  });

  test("a pool's connection whose status is unknown is destroyed, not given back", async () => {
    const pool = testPool({ max: 1, Client: OldClient });
    await pool.query("begin");
    const stream = withContext(pool).stream(background(), 7 as never);
    await expect(stream.next()).rejects.toThrow(TypeError);
    const { rows } = await pool.query("select now() = statement_timestamp() as idle");
    expect(rows).toEqual([{ idle: true }]);
  });
});
