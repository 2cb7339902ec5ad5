/** Prisma's client, which has to be generated from a schema. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const build = fileURLToPath(new URL("../../build/", import.meta.url));

/** As far as the tests use it. Rows are of `id` and `note`. */
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
  /** Removes what was generated. */
  readonly remove: () => Promise<void>;
}

/** Generates a client with one model, `order`, in the given table. */
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

/** Writes the client's source into a new directory. Needs no network. */
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
      // Nothing is downloaded or asked for: generating needs no engine.
      env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true", CHECKPOINT_DISABLE: "1" },
    },
  );
}
