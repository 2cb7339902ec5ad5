/** Errors for drivers and ORM objects that belong to another entry point. */
import { drizzle } from "drizzle-orm/node-postgres";
import knex from "knex";
import { Kysely, PostgresDialect } from "kysely";
import mariadb from "mariadb";
import mysql2 from "mysql2";
import mysql2Promise from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { DataSource } from "typeorm";
import { describe, expect, onTestFinished, test } from "vitest";
import { background } from "../index.ts";
import { generatePrisma } from "../../test/support/prisma.ts";
import { PrismaPg } from "@prisma/adapter-pg";
import { bind, contextPool, withContext } from "./index.ts";

type Make = () => unknown;

const ofOtherDrivers: [string, string, Make][] = [
  ["the sql of postgres.js", "postgres", () => postgres({ max: 1 })],
  ["a pool of mysql2", "mysql2", () => mysql2.createPool({})],
  ["a pool of mysql2/promise", "mysql2", () => mysql2Promise.createPool({})],
  ["a pool of mariadb", "mariadb", () => endLater(mariadb.createPool({ minimumIdle: 0 }))],
];

function endLater<T extends { end(): Promise<unknown> }>(pool: T): T {
  onTestFinished(async () => void (await pool.end()));
  return pool;
}

const ofOrms: [string, Make][] = [
  ["Drizzle", () => drizzle(new pg.Pool())],
  ["Kysely", () => new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })],
  ["Knex", () => knex({ client: "pg" })],
  ["TypeORM", () => new DataSource({ type: "postgres" })],
];

const entries: [string, (value: never) => unknown][] = [
  ["withContext", (value) => withContext(value)],
  ["bind", (value) => bind(background(), value)],
  ["contextPool", (value) => contextPool(value)],
];

describe.each(entries)("%s", (name, call) => {
  test.each(ofOtherDrivers)("refuses %s and names eightysix/%s", (_, entry, make) => {
    const value = make() as never;
    expect(() => call(value)).toThrow(TypeError);
    expect(() => call(value)).toThrow(new RegExp(`^${name} takes .*from "eightysix/${entry}"`));
  });

  test.each(ofOrms)("refuses an object of %s and names bind and contextPool", (orm, make) => {
    const value = make() as never;
    expect(() => call(value)).toThrow(TypeError);
    expect(() => call(value)).toThrow(
      new RegExp(`^${name} takes .*got ${orm}; .*bind\\(ctx, pool\\).*contextPool.*docs/orms.md`),
    );
  });

  test("refuses a PrismaClient and names bind and contextPool", async () => {
    const { PrismaClient, remove } = await generatePrisma("nosuch");
    const client = new PrismaClient({ adapter: new PrismaPg(new pg.Pool()) });
    onTestFinished(() => client.$disconnect().then(remove));
    expect(() => call(client as never)).toThrow(/got Prisma; .*contextPool/);
  });

  test("says what it got if the value is not a known mistake", () => {
    expect(() => call(new Date() as never)).toThrow(`${name} takes`);
    expect(() => call(new Date() as never)).toThrow("got an object of class Date");
    expect(() => call(undefined as never)).toThrow("got undefined");
  });
});

test("withContext and bind refuse the class of pools, and say to create an object of it", () => {
  expect(() => withContext(pg.Pool as never)).toThrow(/got a class; create/);
  expect(() => bind(background(), pg.Pool as never)).toThrow(/got a class; create/);
});

test("contextPool refuses the class of clients", () => {
  expect(() => contextPool(pg.Client as never)).toThrow(/got a class of clients/);
});
