/**
 * Serves with one handler after the other, thousands of requests each, in one process: two processes differ by
 * more than the handlers do. Each slice of a way stands beside one of the bare handler.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpuNow } from "../measure/cpu.ts";
import { frameworks } from "./frameworks/index.ts";
import { catching, tell } from "./subscription.ts";
import type { Way } from "./way.ts";

const [name = "", pairs] = process.argv.slice(2);
const open = frameworks[name];
if (open === undefined) throw new Error(`no such framework: ${name}`);
const { bare, ways } = await catching(open);

const PAIRS = Number(pairs);
/** Requests of a slice: a tenth of a second, if nobody else wants the processor. */
const SLICE = 2_500;
/** … before them, not counted: what the last handler left under way ends, and V8 gets used to this one. */
const SETTLE = 1_000;

let served = 0;
/** Called when so many have been served. */
let goal = { at: Infinity, reached: (): void => undefined };
let current: Way = { name: "bare", serve: bare };
const control: Way = { name: "bare again (control)", serve: bare };

/** What one slice did. */
interface Slice {
  perSecond: number;
  perCpuSecond: number;
}

/** What was measured of one way. */
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

/** Once the way first and once the bare one: whoever comes second also collects the other's garbage. */
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
// Everything is compiled before anything is measured.
for (let i = 0; i < 3; i++) for (const way of all) await slice(way);

const rows: Row[] = all.map(({ serve: _, beside: __, ...about }) => ({ ...about, slices: [] }));
// Round by round, so that what the machine does meanwhile hits all alike.
for (let i = 0; i < PAIRS; i++) {
  for (const [n, way] of all.entries()) rows[n]?.slices.push(await pair(way, i % 2 === 1));
}
process.stdout.write(JSON.stringify(rows), () => process.exit(0));
