import { Results } from "./measure/results.ts";
import { reasonOf } from "./measure/child.ts";
import { go, node, type Runtime } from "./measure/runtimes.ts";
import type { Options } from "./options.ts";
import { aboutRun, heading, versionOf } from "./report/about.ts";
import type { Gate } from "./report/gates.ts";
import { judge, report, type Column } from "./report/print.ts";
import type { Table } from "./report/rows.ts";

/** What one command measures. */
export interface Suite {
  /** Such as "npm run bench". */
  command: string;
  /** Which case is in which row. Every case in them is measured. */
  tables: Table[];
  gates: Gate[];
  /** The packages of the peers. The names of their cases contain the names of the packages. */
  peers: string[];
}

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
export async function runSuite(suite: Suite, options: Options): Promise<boolean> {
  const { command, tables, gates, peers } = suite;
  const rounds = options.quick ? 1 : 5;
  const ids = caseIds(tables).filter((id) => options.only?.test(id) ?? true);
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
  const measured = peers.filter((name) => ids.some((id) => id.includes(name)));
  names.push(...measured.map((name) => `${name} ${versionOf(name)}`));
  const about = aboutRun(names, command);
  if (options.json) {
    console.log(
      JSON.stringify(
        { about, rounds, runtimes: columns.map((column) => plain(column, gates)) },
        null,
        2,
      ),
    );
  } else {
    console.log(`${heading(about)}
CPU time, including the garbage collector; one process for each case${about.pinned ? ", pinned to one core" : ""}; ${rounds === 1 ? "one short round" : `medians of ${rounds} rounds`}.
× is the row as a multiple of eightysix.
`);
    console.log(report(columns, tables, gates));
  }
  return columns.every(
    ({ gated, results }) => !gated || gates.every((g) => judge(g, results).verdict !== "NOT MET"),
  );
}

const caseIds = (tables: Table[]): string[] => [
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

const plain = ({ name, results }: Column, gates: Gate[]): object => ({
  name,
  cases: Object.fromEntries(results.rounds),
  failures: Object.fromEntries(results.failures),
  gates: gates.map((gate) => ({ ...gate, ...judge(gate, results) })),
});

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
