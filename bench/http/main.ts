/** `npm run bench:http`: what the context of a request costs. See ../README.md. */
import { aboutRun, heading, versionOf } from "../report/about.ts";
import { node } from "../measure/runtimes.ts";
import { frameworks } from "./frameworks/index.ts";
import { measure } from "./measure.ts";
import { parseOptions } from "./options.ts";
import { isKept, table, type Column } from "./report.ts";

const options = parseOptions(process.argv.slice(2), Object.keys(frameworks));
const pairs = options.quick ? 3 : 35;

const measured: { framework: string; columns: Column[] }[] = [];
for (const framework of options.only) {
  const columns: Column[] = [];
  for (const path of options.nodes) {
    process.stderr.write(`${framework} …\n`);
    const { name, gated } = node(path, options.quick);
    columns.push({ name, gated, rows: await measure(path, framework, pairs) });
  }
  const version = framework === "node" ? "" : ` ${versionOf(framework)}`;
  measured.push({ framework: `${framework}${version}`, columns });
}

const names = options.nodes.map((path) => node(path, options.quick).name);
const about = aboutRun(names, "npm run bench:http");
if (options.json) {
  console.log(JSON.stringify({ about, pairs, measured }, null, 2));
} else {
  console.log(`${heading(about)}
The server on one core, ${pairs} pairs of slices of 2,500 requests. "of bare": requests per second of CPU time,
as a share of the bare handler's beside it. "more": additional microseconds of CPU time for each request.`);
  for (const { framework, columns } of measured) console.log(`\n${table(framework, columns)}`);
}
const kept = measured.every(({ columns }) => columns.every(isKept));
if (!kept && !options.quick) process.exitCode = 1;
