/**
 * Serves with one handler after the other in one process, thousands of requests each: two processes
 * differ by more than two handlers. Each slice of a variant stands beside a slice of the bare
 * handler.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpuNow } from "../measure/cpu.ts";
import { frameworks } from "./frameworks/index.ts";
import { catching, tell } from "./subscription.ts";
import type { Way } from "./way.ts";

const [name = "", pairs] = process.argv.slice(2);
const open = frameworks[name];
if (open === undefined) throw new Error(`there is no framework ${name}`);
const { bare, ways } = await catching(open);

const PAIRS = Number(pairs);
/** The requests of one slice. They take a tenth of a second on an idle CPU. */
const SLICE = 2_500;
/**
 * Requests before a slice that do not count: those of the last handler finish, and V8 adapts to
 * this one.
 */
const SETTLE = 1_000;

let served = 0;
/** `reached` is called when `at` requests have been served. */
let goal = { at: Infinity, reached: (): void => undefined };
let current: Way = { name: "bare", serve: bare };
const control: Way = { name: "bare again (control)", serve: bare };

/** The figures of one slice. */
interface Slice {
  perSecond: number;
  perCpuSecond: number;
}

/** The figures of one variant. */
export interface Row extends Omit<Way, "serve" | "beside"> {
  slices: { bare: Slice; way: Slice }[];
}

const server = createServer((req, res) => {
  if (++served === goal.at) goal.reached();
  if (current.ours) tell(req, res, server);
  current.serve(req, res);
});

const serveMore = (requests: number): Promise<void> =>
  new Promise((reached) => (goal = { at: served + requests, reached }));

async function slice(way: Way): Promise<Slice> {
  current = way;
  await serveMore(SETTLE);
  const [wall, cpu] = [performance.now(), cpuNow()];
  await serveMore(SLICE);
  return {
    perSecond: (SLICE / (performance.now() - wall)) * 1e3,
    perCpuSecond: (SLICE / (cpuNow() - cpu)) * 1e9,
  };
}

/**
 * Measures a pair of slices. The order alternates, because the second slice also collects the
 * garbage of the first.
 */
async function pair(way: Way, wayFirst: boolean): Promise<Row["slices"][number]> {
  const beside: Way = { name: "bare", serve: way.beside ?? bare };
  if (wayFirst) {
    const first = await slice(way);
    return { way: first, bare: await slice(beside) };
  }
  return { bare: await slice(beside), way: await slice(way) };
}

server.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
await new Promise((resolve) => server.once("connection", resolve));

const all = [control, ...ways];
// Runs everything before the measurement, so that all code is compiled.
for (let i = 0; i < 3; i++) for (const way of all) await slice(way);

const rows: Row[] = all.map(({ serve: _, beside: __, ...about }) => ({ ...about, slices: [] }));
// Round by round, so that a disturbance of the machine affects all variants.
for (let i = 0; i < PAIRS; i++) {
  for (const [n, way] of all.entries()) rows[n]?.slices.push(await pair(way, i % 2 === 1));
}
process.stdout.write(JSON.stringify(rows), () => process.exit(0));
