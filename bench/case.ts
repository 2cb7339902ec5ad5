/** The child process: measures one case, and prints its figures as JSON. */
import { loadCase } from "./cases/index.ts";
import { mixedProgram } from "./measure/mixed-program.ts";

const id = process.argv[2];
if (id === undefined) throw new Error("usage: case.js <group>/<name>");

const run = await loadCase(id);
if (id.includes("/ours")) await mixedProgram();
const figures = await run();
// Exits even if timers of the case are still live.
process.stdout.write(JSON.stringify(figures), () => process.exit(0));
