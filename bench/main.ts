/** `npm run bench`: prints what contexts cost, beside the alternatives. See README.md here. */
import { benchContexts } from "./contexts.ts";
import { parseOptions } from "./options.ts";

const options = parseOptions(process.argv.slice(2));
const kept = await benchContexts(options);
if (!kept && !options.quick) process.exitCode = 1;
