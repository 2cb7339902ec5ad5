import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Measured } from "./http/server.ts";
import { variants } from "./http/variants.ts";
import { pinTo } from "./measure/child.ts";
import { median } from "./measure/cpu.ts";
import { node } from "./measure/runtimes.ts";
import type { Options } from "./options.ts";
import { aboutRun, heading } from "./report/about.ts";
import { markdown } from "./report/print.ts";

interface Column {
  name: string;
  gated: boolean;
  measured: Measured[];
}

/** Requests per second with and without contexts, as shares of a handler that has neither. False if a promise is broken. */
export async function benchHttp(options: Options): Promise<boolean> {
  const pairs = options.quick ? 5 : 70;
  const columns: Column[] = [];
  for (const path of options.nodes) {
    const { name, gated } = node(path, options.quick);
    columns.push({ name, gated, measured: await measure(path, pairs) });
  }
  const about = aboutRun(columns.map(({ name }) => name));
  if (options.json) {
    console.log(JSON.stringify({ about, columns }, null, 2));
  } else {
    console.log(`${heading(about)}
Node's http server on one core, ${pairs} pairs of slices of 100 ms.
"of bare" is the requests per second of CPU time, as a share of the bare handler's beside it.
`);
    console.log(table(columns));
  }
  return columns.every(
    ({ gated, measured }) => !gated || variants.every((v) => verdict(v.name, measured) !== false),
  );
}

const program = (name: string) => fileURLToPath(new URL(`./http/${name}.js`, import.meta.url));

function start(cpu: "first" | "last", path: string, args: string[]): ChildProcess {
  const [command = path, ...rest] = [...pinTo(cpu), path, ...args];
  return spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
}

/** The server on one processor, its clients on another. */
async function measure(path: string, pairs: number): Promise<Measured[]> {
  const server = start("last", path, [program("server"), String(pairs)]);
  if (server.stdout === null) throw new Error("no output");
  let load: ChildProcess | undefined;
  let printed = "";
  for await (const line of createInterface({ input: server.stdout })) {
    if (load === undefined) load = start("first", process.execPath, [program("load"), line]);
    else printed += line;
  }
  load?.kill();
  if (server.exitCode === null) await once(server, "exit");
  return JSON.parse(printed) as Measured[];
}

/** How much of the bare handler's rate is left: the median over the pairs of slices. */
function share(name: string, measured: Measured[]): number {
  const { slices = [] } = measured.find((one) => one.name === name) ?? {};
  return median(slices.map(({ bare, variant }) => variant.perCpuSecond / bare.perCpuSecond));
}

/** `undefined` where nothing was promised. */
function verdict(name: string, measured: Measured[]): boolean | undefined {
  const { atLeast, notBelow } = variants.find((variant) => variant.name === name) ?? {};
  if (atLeast === undefined) return undefined;
  const value = share(name, measured);
  return value >= atLeast && (notBelow === undefined || value >= share(notBelow, measured));
}

function table(columns: Column[]): string {
  const names = columns.flatMap(({ name }) => [`${name}, requests/s`, "of bare", ""]);
  const body = variants.map(({ name, atLeast }) => [
    name,
    atLeast === undefined ? "" : `≥ ${atLeast}`,
    ...columns.flatMap(({ measured }) => {
      const { slices = [] } = measured.find((one) => one.name === name) ?? {};
      const rate = Math.round(median(slices.map(({ variant }) => variant.perSecond)));
      const kept = verdict(name, measured);
      return [
        rate.toLocaleString("en-US"),
        share(name, measured).toFixed(3),
        kept === undefined ? "" : kept ? "met" : "NOT MET",
      ];
    }),
  ]);
  return markdown(["Handler", "Promise", ...names], body);
}
