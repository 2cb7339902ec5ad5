import { parseArgs } from "node:util";

export interface Options {
  /** Measure requests per second instead of contexts by themselves. */
  http: boolean;
  json: boolean;
  quick: boolean;
  only: RegExp | undefined;
  /** Paths of the Node binaries to measure. */
  nodes: string[];
}

const usage = `npm run bench -- [http] [options]
  http             requests per second, instead of contexts by themselves
  --quick          one short round: for developing, not for a verdict
  --only=<regex>   only the cases whose name matches, e.g. --only='derive|go/'
  --node=<path>    measure this Node as well (repeatable)
  --json           print all figures of all rounds as JSON`;

export function parseOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      node: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = positionals.find((word) => word !== "http");
  if (values.help || unknown !== undefined) {
    console.log(unknown === undefined ? usage : `unknown: ${unknown}\n${usage}`);
    process.exit(unknown === undefined ? 0 : 2);
  }
  return {
    http: positionals.includes("http"),
    json: values.json,
    quick: values.quick,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    nodes: [process.execPath, ...values.node],
  };
}
