/**
 * `npm run bench:stop`: how long servers work after an abort, and what that costs. See
 * ../README.md.
 */
import { aboutRun, heading, versionOf } from "../report/about.ts";
import { costsOf } from "./costs.ts";
import type { Opened } from "./driver.ts";
import { drivers } from "./drivers/index.ts";
import { isIn, parseOptions } from "./options.ts";
import { remainingOf, type Remaining } from "./remaining.ts";
import { costTables, notes, remainingTable, type Measured } from "./report.ts";
import { serversOfRun } from "./servers.ts";

const options = parseOptions(
  process.argv.slice(2),
  drivers.map(({ name }) => name),
);
const repetitions = options.quick ? { stops: 8, doesNot: 1 } : { stops: 50, doesNot: 3 };
const rounds = options.quick ? 5 : 120;

const servers = serversOfRun();
const missing: string[] = [];
const opened: { measured: Measured; connections: Opened }[] = [];
const say = (what: string): unknown => process.stderr.write(`${what}\n`);
try {
  for (const driver of drivers) {
    if (!isIn(options.only, driver.name)) continue;
    const connections = await driver.open(servers).catch((error: unknown) => {
      missing.push(`${driver.name}: ${error instanceof Error ? error.message : String(error)}`);
    });
    if (connections === undefined) continue;
    const { server, bare, costs } = connections;
    const remaining: Remaining[] = [];
    for (const work of options.remaining ? connections.works : []) {
      say(`${driver.name}, ${work.name} …`);
      remaining.push(await remainingOf(work, connections, repetitions));
    }
    const measured = {
      driver: driver.name,
      version: versionOf(driver.package),
      ...{ server, remaining, costOf: costs.what, costs: [] },
      bare: typeof bare === "string" ? bare : `a bare cancel is ${bare.what}`,
    };
    opened.push({ measured, connections });
  }
  // After all other measurements, so that eightysix has been compiled for every driver. Code that
  // is compiled for one driver is faster.
  const all: Measured[] = [];
  for (const { measured, connections } of opened) {
    if (options.costs) say(`${measured.driver}, costs …`);
    const costs = options.costs ? await costsOf(connections.costs, rounds) : [];
    all.push({ ...measured, costs });
  }
  const about = aboutRun([`Node ${process.versions.node}`], "npm run bench:stop");
  if (options.json) {
    console.log(JSON.stringify({ about, missing, all }, null, 2));
  } else {
    const parts = [
      heading(about),
      notes(all),
      options.remaining ? remainingTable(all) : "",
      costTables(all),
      missing.map((line) => `not measured: ${line}`).join("\n"),
    ];
    console.log(parts.filter((part) => part !== "").join("\n\n"));
  }
} finally {
  for (const { connections } of opened) await connections.close().catch(() => undefined);
  await servers.end();
}
