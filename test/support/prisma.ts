/** Generates Prisma's client from a schema. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";

const build = fileURLToPath(new URL("../../build/", import.meta.url));

/**
 * Returns whether Prisma has another copy of pg than the tests. Prisma takes pools of its own copy
 * only. There are two copies if the tests' pg is older than Prisma allows, as in `npm run lowest`.
 */
export function hasOtherPg(): boolean {
  const ofPrisma = createRequire(import.meta.resolve("@prisma/adapter-pg"))("pg") as typeof pg;
  return ofPrisma.Pool !== pg.Pool;
}

/** The part of the model's methods that the tests use. Rows have an `id` and a `note`. */
export interface Orders {
  findMany(): Promise<{ id: number }[]>;
  findFirst(args: object): Promise<{ id: number } | null>;
  findUnique(args: { where: { id: number } }): Promise<{ id: number } | null>;
  create(args: { data: { id: number } }): Promise<{ id: number }>;
}
export interface PrismaQueries {
  readonly order: Orders;
  $queryRawUnsafe(sql: string): Promise<unknown>;
  $executeRawUnsafe(sql: string): Promise<number>;
}
export interface Prisma extends PrismaQueries {
  $transaction<T>(fn: (tx: PrismaQueries) => Promise<T>, options?: object): Promise<T>;
  $transaction<T>(all: readonly Promise<T>[]): Promise<T[]>;
  $extends(extension: object): Prisma;
  $connect(): Promise<void>;
  $disconnect(): Promise<void>;
}

export interface GeneratedPrisma {
  readonly PrismaClient: new (options: { adapter: unknown }) => Prisma;
  /** Removes the generated files. */
  readonly remove: () => Promise<void>;
}

/** Generates and loads a client with one model, `order`, which is stored in `table`. */
export async function generatePrisma(table: string): Promise<GeneratedPrisma> {
  await mkdir(build, { recursive: true });
  const directory = await mkdtemp(join(build, "prisma-"));
  await generate(join(directory, "client"), table);
  const module = (await import(join(directory, "client/client.ts"))) as GeneratedPrisma;
  return {
    PrismaClient: module.PrismaClient,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/** Writes the client's source into the new directory. Needs no network. */
export async function generate(directory: string, table: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const schema = `${directory}.prisma`;
  await writeFile(
    schema,
    `generator client {
       provider = "prisma-client"
       output   = "./${basename(directory)}"
     }
     datasource db {
       provider = "postgresql"
     }
     model Order {
       id   Int     @id
       note String?
       @@map("${table}")
     }`,
  );
  const prisma = createRequire(import.meta.url).resolve("prisma/package.json");
  await promisify(execFile)(
    process.execPath,
    [join(dirname(prisma), "build/index.js"), "generate", "--schema", schema],
    {
      cwd: dirname(directory),
      // Generating needs no engine, so nothing is downloaded.
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true", CHECKPOINT_DISABLE: "1" },
    },
  );
}
