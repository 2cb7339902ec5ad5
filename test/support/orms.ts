/** Helpers for the tests of ORMs. */
import type pg from "pg";
import { expect, onTestFinished } from "vitest";
import { observer, until, type Observer } from "./postgres.ts";

/** Resolves with the error of `promise`, or with its value in an object if there is none. */
export function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}

/** Expects that all connections are back in the pool and that none was lost. */
export function expectWhole(pool: pg.Pool, total = 1): void {
  expect(pool.waitingCount).toBe(0);
  expect(pool.totalCount).toBe(total);
  expect(pool.idleCount).toBe(total);
}

let tables = 0;

/** Creates a table with `id int primary key` that is dropped after the test, and returns its name. */
export async function table(look: Observer): Promise<string> {
  const name = `orm_${process.pid}_${++tables}`;
  await look.query(`create table ${name} (id int primary key)`);
  onTestFinished(async () => {
    await (
      await observer()
    ).query(`drop table if exists ${name} cascade; drop function if exists ${name}_f`);
  });
  return name;
}

/** Resolves with the ids in a table, as another connection sees them. */
export async function idsIn(look: Observer, name: string): Promise<number[]> {
  const { rows } = await look.query<{ id: number }>(`select id from ${name} order by id`);
  return rows.map((row) => row.id);
}

/** Resolves when the server runs SQL with this text. */
export function isRunning(look: Observer, text: string): Promise<void> {
  return until(async () => (await look.running(text)) === 1);
}
