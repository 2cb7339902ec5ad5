import { parseArgs } from "node:util";

export interface Options {
  json: boolean;
  quick: boolean;
  /** Names of frameworks. */
  only: string[];
  /** Paths of the Node binaries to measure. */
  nodes: string[];
}

const usage = `npm run bench:http -- [options]
  --quick          few slices: for developing, not for a verdict
  --only=<names>   only these, e.g. --only=node,fastify
  --node=<path>    measure this Node as well (repeatable)
  --json           print all figures of all slices as JSON`;

export function parseOptions(args: string[], frameworks: readonly string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", default: frameworks.join(",") },
      node: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",");
  const unknown = only.find((name) => !frameworks.includes(name));
  if (values.help || unknown !== undefined) {
    const about = `${usage}\nWhat there is: ${frameworks.join(", ")}`;
    console.log(unknown === undefined ? about : `unknown: ${unknown}\n${about}`);
    process.exit(unknown === undefined ? 0 : 2);
  }
  const { json, quick, node } = values;
  return { json, quick, only, nodes: [process.execPath, ...node] };
}
