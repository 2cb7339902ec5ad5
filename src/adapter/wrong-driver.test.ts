import { DuckDBInstance } from "@duckdb/node-api";
import { Cluster, Redis } from "ioredis";
import Libsql from "libsql/promise";
import mariadb from "mariadb";
import { MongoClient } from "mongodb";
import mysqlCallbacks from "mysql2";
import mysql from "mysql2/promise";
import pg from "pg";
import postgres from "postgres";
import { createClient, createClientPool, createCluster, createSentinel } from "redis";
import { expect, test } from "vitest";
import { wrongDriver } from "./wrong-driver.ts";

const messageFor = (driver: unknown): string =>
  wrongDriver("x", "something else", driver).message.replace(/^.*, got /, "");

test.each([
  ["a pool of pg", "pg", () => new pg.Pool()],
  ["a client of pg", "pg", () => new pg.Client()],
  ["the sql of postgres.js", "postgres", () => postgres({})],
  ["a pool of mysql2", "mysql2", () => mysqlCallbacks.createPool({})],
  ["a pool of mysql2", "mysql2", () => mysql.createPool({})],
  ["a pool of mariadb", "mariadb", () => mariadb.createPool({})],
  ["a client of redis", "redis", () => createClient()],
  ["a client of ioredis", "ioredis", () => new Redis({ lazyConnect: true })],
  ["a database of libsql", "libsql", () => new Libsql(":memory:", {})],
  ["a database of mongodb", "mongodb", () => new MongoClient("mongodb://x").db("x")],
  [
    "a collection of mongodb",
    "mongodb",
    () => new MongoClient("mongodb://x").db("x").collection("x"),
  ],
  [
    "a connection of DuckDB",
    "duckdb",
    async () => (await DuckDBInstance.create(":memory:")).connect(),
  ],
] as const)("the message for %s names eightysix/%s", async (what, entry, create) => {
  expect(messageFor(await create())).toBe(
    `${what}; import withContext from "eightysix/${entry}", which takes it`,
  );
});

test.each([
  ["a pool cluster of mysql2", () => mysqlCallbacks.createPoolCluster()],
  ["a pool cluster of mysql2", () => mysql.createPoolCluster()],
  ["a pool cluster of mariadb", () => mariadb.createPoolCluster()],
  ["a client pool of redis", () => createClientPool()],
  ["a cluster of redis", () => createCluster({ rootNodes: [{ url: "redis://localhost:1" }] })],
  ["a sentinel of redis", () => createSentinel({ name: "x", sentinelRootNodes: [] })],
  ["a cluster of ioredis", () => new Cluster([{ port: 1 }], { lazyConnect: true })],
] as const)("the message for %s says to pass a single one", (what, create) => {
  expect(messageFor(create())).toMatch(
    new RegExp(`^${what}; pass a (pool of one server|single client)$`),
  );
});

test.each([
  [undefined, "undefined"],
  [null, "null"],
  ["redis://localhost", 'the string "redis://localhost"'],
  [{}, "an object of class Object"],
])("the message for an unknown %j describes it", (driver, description) => {
  expect(messageFor(driver)).toBe(description);
});

test("the message for an unsupported object of the right driver says that it cannot be used", () => {
  const { message } = wrongDriver("pg", "a pool of pg", new pg.Pool());
  expect(message).toBe(
    "withContext of eightysix/pg takes a pool of pg, got a pool of pg that cannot be used",
  );
});
