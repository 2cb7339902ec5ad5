/** `npm run bench:tasks`: what the functions that run tasks cost. See ../README.md. */
import { parseOptions } from "../options.ts";
import { runSuite } from "../suite.ts";
import { gates } from "./gates.ts";
import { tables } from "./tables.ts";

const command = "npm run bench:tasks";
const options = parseOptions(process.argv.slice(2), command);
const peers = ["effect", "p-queue", "p-limit", "p-map", "async-mutex", "async-sema"];
const kept = await runSuite({ command, tables, gates, peers }, options);
if (!kept && !options.quick) process.exitCode = 1;
