import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { pinTo } from "../measure/child.ts";
import type { Row } from "./server.ts";

const program = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

function start(cpu: "first" | "last", path: string, args: string[]): ChildProcess {
  const [command = path, ...rest] = [...pinTo(cpu), path, ...args];
  // As in production: Express logs no errors and caches views.
  const env = { ...process.env, NODE_ENV: "production" };
  return spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"], env });
}

/**
 * Measures all variants of one framework. The server runs on one CPU, and its clients on another.
 */
export async function measure(path: string, framework: string, pairs: number): Promise<Row[]> {
  const server = start("last", path, [program("server"), framework, String(pairs)]);
  if (server.stdout === null) throw new Error("the server has no output stream");
  let load: ChildProcess | undefined;
  let printed = "";
  for await (const line of createInterface({ input: server.stdout })) {
    if (load === undefined) load = start("first", process.execPath, [program("load"), line]);
    else printed += line;
  }
  load?.kill();
  if (server.exitCode === null) await once(server, "exit");
  if (server.exitCode !== 0) throw new Error(`the server with ${framework} failed`);
  return JSON.parse(printed) as Row[];
}
