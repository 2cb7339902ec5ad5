/**
 * Serves one handler after the other, 100 ms each, in one process: two processes differ by more
 * than the handlers do. Each slice of a variant stands beside one of the bare handler.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { cpuNow } from "../measure/cpu.ts";
import { catching, listen } from "./subscription.ts";
import type { Variant } from "./variants.ts";

const { bare, variants } = await catching(() => import("./variants.ts"));

const PAIRS = Number(process.argv[2]);
const SLICE_MS = 100;
/** Not counted: what the last handler left under way ends in it. */
const SETTLE_MS = 10;

let served = 0;
let current = bare;

/** What one slice did. */
interface Slice {
  perSecond: number;
  perCpuSecond: number;
}

export interface Measured {
  name: string;
  slices: { bare: Slice; variant: Slice }[];
}

const server = createServer((req, res) => {
  served++;
  current.handle(req, res);
});

/** Fewer requests than this, and the clients had no processor: nothing is learnt from such a slice. */
const STARVED = 100;

async function slice(variant: Variant): Promise<Slice> {
  current = variant;
  listen(variant.ours === true);
  await pause(SETTLE_MS);
  for (let tries = 0; tries < 100; tries++) {
    const [count, wall, cpu] = [served, performance.now(), cpuNow()];
    await pause(SLICE_MS);
    const requests = served - count;
    if (requests < STARVED) continue;
    return {
      perSecond: (requests / (performance.now() - wall)) * 1e3,
      perCpuSecond: (requests / (cpuNow() - cpu)) * 1e9,
    };
  }
  throw new Error(`no requests came for: ${variant.name}`);
}

async function pairs(variant: Variant): Promise<Measured> {
  const slices: Measured["slices"] = [];
  for (let i = 0; i < PAIRS; i++) {
    // First one, then the other first: whoever comes second also collects the other's garbage.
    if (i % 2 === 0) {
      slices.push({ bare: await slice(bare), variant: await slice(variant) });
    } else {
      const second = await slice(variant);
      slices.push({ variant: second, bare: await slice(bare) });
    }
  }
  return { name: variant.name, slices };
}

server.listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
await new Promise((resolve) => server.once("connection", resolve));

// Everything is compiled before anything is measured.
for (let i = 0; i < 3; i++) for (const variant of [bare, ...variants]) await slice(variant);

const measured: Measured[] = [];
for (const variant of variants) measured.push(await pairs(variant));
process.stdout.write(JSON.stringify(measured), () => process.exit(0));
