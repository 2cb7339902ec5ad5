import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figures } from "../cases/index.ts";
import { runPinned } from "./child.ts";

/** A runtime that can run cases. */
export interface Runtime {
  /** The name in the tables, such as "Node 22.23.3" or "Go 1.23.5". */
  name: string;
  runs(group: string): boolean;
  run(id: string): Promise<Figures>;
  /** Whether the promises count for this runtime. */
  gated: boolean;
}

const child = fileURLToPath(new URL("../case.js", import.meta.url));
/** The Go sources, which are not copied to build/bench, where the compiled programs are. */
const goSources = fileURLToPath(new URL("../../../bench/go", import.meta.url));

const output = (program: string, args: string[], cwd?: string): string | undefined => {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8", cwd });
  return status === 0 ? stdout.trim() : undefined;
};

export function node(path: string, quick: boolean): Runtime {
  const version = output(path, ["--version"])?.slice(1);
  if (version === undefined)
    throw new Error(`${path} is not a Node binary; pass --node=<path of node>`);
  return {
    name: `Node ${version}`,
    gated: Number.parseInt(version) >= 22,
    runs: (group) => group !== "go",
    async run(id) {
      // Without warnings, because one of the peers causes a warning for each listener.
      const args = ["--expose-gc", "--no-warnings", child, id];
      return JSON.parse(await runPinned(path, args, { BENCH_QUICK: quick ? "1" : "" })) as Figures;
    },
  };
}

/** Returns Go as a runtime if it is on the PATH. */
export function go(quick: boolean): Runtime[] {
  const version = output("go", ["env", "GOVERSION"]);
  if (version === undefined) return [];
  const program = fileURLToPath(new URL("../bench-go", import.meta.url));
  if (output("go", ["build", "-o", program, "."], goSources) === undefined)
    throw new Error("bench/go does not compile; run `go build` there");
  const runtime: Runtime = {
    name: version.replace("go", "Go "),
    gated: false,
    runs: (group) => group === "go",
    async run(id) {
      return JSON.parse(
        await runPinned(program, [id.slice("go/".length), ...(quick ? ["-quick"] : [])]),
      ) as Figures;
    },
  };
  return [runtime];
}
