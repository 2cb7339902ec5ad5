import { Results } from "./measure/results.ts";
import { reasonOf } from "./measure/child.ts";
import { go, node, type Runtime } from "./measure/runtimes.ts";
import type { Options } from "./options.ts";
import { aboutRun, heading, versionOf } from "./report/about.ts";
import { gates } from "./report/gates.ts";
import { judge, report, type Column } from "./report/print.ts";
import { tables } from "./report/tables.ts";

/** One case on one runtime. */
interface Job {
  id: string;
  runtime: Runtime;
  /**
   * The columns that get the figures. Go is measured once in each round, and stands in every
   * column.
   */
  into: Results[];
}

/**
 * Runs every case in rounds, each in a process of its own, and prints the tables. Returns false if
 * a promise is not met.
 */
export async function benchContexts(options: Options): Promise<boolean> {
  const rounds = options.quick ? 1 : 5;
  const ids = caseIds().filter((id) => options.only?.test(id) ?? true);
  const nodes = options.nodes.map((path) => node(path, options.quick));
  const runtimes = [...nodes];
  if (ids.some((id) => id.startsWith("go/"))) runtimes.push(...go(options.quick));
  const columns = nodes.map((runtime) => ({ ...runtime, results: new Results() }));
  const jobs = ids.flatMap((id) => jobsOf(id, runtimes, columns));

  for (let round = 0; round < rounds; round++) {
    for (const [i, job] of jobs.entries()) {
      const at = `round ${round + 1} of ${rounds}, ${i + 1} of ${jobs.length}`;
      progress(`${at}: ${job.id}, ${job.runtime.name}`);
      await runJob(job, round);
    }
  }
  progress("");

  const names = runtimes.map(({ name }) => name);
  if (ids.some((id) => id.startsWith("effect/"))) names.push(`Effect ${versionOf("effect")}`);
  const about = aboutRun(names);
  if (options.json) {
    console.log(JSON.stringify({ about, rounds, runtimes: columns.map(plain) }, null, 2));
  } else {
    console.log(`${heading(about)}
CPU time, including the garbage collector; one process for each case${about.pinned ? ", pinned to one core" : ""}; ${rounds === 1 ? "one short round" : `medians of ${rounds} rounds`}.
× is the row as a multiple of eightysix.
`);
    console.log(report(columns));
  }
  return columns.every(
    ({ gated, results }) => !gated || gates.every((g) => judge(g, results).verdict !== "NOT MET"),
  );
}

const caseIds = (): string[] => [
  ...new Set(tables.flatMap(({ rows }) => rows.map(({ of }) => of.split("#")[0] ?? ""))),
];

function jobsOf(id: string, runtimes: Runtime[], columns: Column[]): Job[] {
  const group = id.split("/")[0] ?? "";
  return runtimes
    .filter((runtime) => runtime.runs(group))
    .map((runtime) => {
      const own = columns.filter(({ name }) => group === "go" || name === runtime.name);
      return { id, runtime, into: own.map(({ results }) => results) };
    });
}

async function runJob({ id, runtime, into }: Job, round: number): Promise<void> {
  try {
    // Tries twice, because a busy machine may kill the process.
    const figures = await runtime.run(id).catch(() => runtime.run(id));
    for (const results of into) results.add(id, round, figures);
  } catch (error) {
    for (const results of into) results.failures.set(id, reasonOf(error));
  }
}

const plain = ({ name, results }: Column): object => ({
  name,
  cases: Object.fromEntries(results.rounds),
  failures: Object.fromEntries(results.failures),
  gates: gates.map((gate) => ({ ...gate, ...judge(gate, results) })),
});

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
