import { parseArgs } from "node:util";

export interface Options {
  /** Whether to measure what remains after an abort. */
  remaining: boolean;
  /** Whether to measure what a query costs. */
  costs: boolean;
  quick: boolean;
  json: boolean;
  /** Names of drivers. Empty means all. */
  only: string[];
}

const usage = `npm run bench:stop -- [remaining] [cost] [options]
  remaining        only how long a server works after an abort
  cost             only what a query costs that is never canceled
  --quick          few repetitions, for development only
  --only=<names>   only these drivers, e.g. --only=pg,mysql2 or --only=mysql2@mysql
  --json           print all figures of all repetitions as JSON`;

/** Returns whether `driver` is in `only`. Without a server, a name means the driver on all servers. */
export function isIn(only: readonly string[], driver: string): boolean {
  return only.length === 0 || only.includes(driver) || only.includes(driver.split("@")[0] ?? "");
}

export function parseOptions(args: string[], drivers: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",").filter((name) => name !== "");
  const unknown =
    positionals.find((word) => word !== "remaining" && word !== "cost") ??
    only.find((name) => !drivers.some((driver) => isIn([name], driver)));
  if (values.help || unknown !== undefined) {
    const about = `${usage}\nThe drivers: ${drivers.join(", ")}`;
    console.log(unknown === undefined ? about : `unknown argument: ${unknown}\n${about}`);
    process.exit(unknown === undefined ? 0 : 2);
  }
  const all = positionals.length === 0;
  return {
    remaining: all || positionals.includes("remaining"),
    costs: all || positionals.includes("cost"),
    quick: values.quick,
    json: values.json,
    only,
  };
}
