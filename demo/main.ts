/**
 * One endpoint reads three real databases, and most clients leave before it has answered. Shows what
 * the databases still work on: first without contexts, then with contexts.
 *
 *     npm start                  serves a page, runs the traffic, prints a table; Ctrl-C ends it
 *     npm start -- --once        the same, and exits after the table
 *     npm start -- --json        the table as data
 *     npm start -- --clients=8 --target=500 --seed=86 --port=8086
 */
import { parseArgs } from "node:util";
import { run } from "./run.ts";

const { values } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    clients: { type: "string", default: "16" },
    target: { type: "string", default: "1500" },
    seed: { type: "string", default: "86" },
    port: { type: "string", default: "0" },
  },
});

const number = (name: "clients" | "target" | "seed" | "port", least: number): number => {
  const value = Number(values[name]);
  if (Number.isInteger(value) && value >= least) return value;
  console.error(`--${name} takes a whole number from ${least}, got "${values[name]}"`);
  process.exit(2);
};

await run({
  once: values.once,
  json: values.json,
  clients: number("clients", 4),
  target: number("target", 50),
  seed: number("seed", 1),
  port: number("port", 0),
});
