import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { pinned } from "../measure/child.ts";

/** On what a run was made, to be printed above its figures. */
export interface About {
  command: string;
  runtimes: string[];
  cpu: string;
  cores: number;
  system: string;
  pinned: boolean;
}

export function aboutRun(runtimes: string[]): About {
  const args = process.argv.slice(2);
  return {
    command: ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" "),
    runtimes,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    system: `${process.platform} ${process.arch}`,
    pinned,
  };
}

export const heading = ({ command, runtimes, cpu, cores, system }: About): string =>
  `${command}\n${runtimes.join(", ")}; ${cpu}, ${cores} cores, ${system}`;

/** As installed here. */
export function versionOf(name: string): string {
  const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}
