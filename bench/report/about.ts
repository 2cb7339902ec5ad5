import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { join } from "node:path";
import { pinned } from "../measure/child.ts";

/** The circumstances of a run, which are printed above its figures. */
export interface About {
  command: string;
  runtimes: string[];
  cpu: string;
  cores: number;
  system: string;
  pinned: boolean;
}

export function aboutRun(runtimes: string[], command = "npm run bench"): About {
  const args = process.argv.slice(2);
  return {
    command: [command, ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
    runtimes,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    system: `${process.platform} ${process.arch}`,
    pinned,
  };
}

export const heading = ({ command, runtimes, cpu, cores, system }: About): string =>
  `${command}\n${runtimes.join(", ")}; ${cpu}, ${cores} cores, ${system}`;

/**
 * Returns the installed version of a package. Reads the file, because `exports` may not list
 * package.json.
 */
export function versionOf(name: string): string {
  const { resolve } = createRequire(import.meta.url);
  for (const directory of resolve.paths(name) ?? []) {
    const path = join(directory, name, "package.json");
    if (existsSync(path))
      return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
  }
  throw new Error(`${name} is not installed`);
}
