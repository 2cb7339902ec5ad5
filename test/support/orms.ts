/** What the tests of ORMs share. */
import type pg from "pg";
import { expect, onTestFinished } from "vitest";
import { observer, until, type Observer } from "./postgres.ts";

/** The error, or what came instead of one. */
export function failure(promise: PromiseLike<unknown>): Promise<unknown> {
  return Promise.resolve(promise).then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}

/** All connections are back, and none was lost. */
export function expectWhole(pool: pg.Pool, total = 1): void {
  expect(pool.waitingCount).toBe(0);
  expect(pool.totalCount).toBe(total);
  expect(pool.idleCount).toBe(total);
}

let tables = 0;

/** A table with `id int primary key`, for as long as the test. */
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

/** The ids in a table, as the server sees them from outside. */
export async function idsIn(look: Observer, name: string): Promise<number[]> {
  const { rows } = await look.query<{ id: number }>(`select id from ${name} order by id`);
  return rows.map((row) => row.id);
}

/** Waits until the server runs it. */
export function isRunning(look: Observer, text: string): Promise<void> {
  return until(async () => (await look.running(text)) === 1);
}
