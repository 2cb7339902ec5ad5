/** `npm run bench`: prints what contexts cost, beside the alternatives. See README.md here. */
import { parseOptions } from "./options.ts";
import { gates } from "./report/gates.ts";
import { tables } from "./report/tables.ts";
import { runSuite } from "./suite.ts";

const options = parseOptions(process.argv.slice(2), "npm run bench");
const suite = { command: "npm run bench", tables, gates, peers: ["effect"] };
const kept = await runSuite(suite, options);
if (!kept && !options.quick) process.exitCode = 1;
