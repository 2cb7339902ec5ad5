import { parseArgs } from "node:util";

export interface Options {
  json: boolean;
  quick: boolean;
  /** The names of the frameworks to measure. */
  only: string[];
  /** Paths of the Node binaries to measure. */
  nodes: string[];
}

const usage = `npm run bench:http -- [options]
  --quick          few slices, for development only
  --only=<names>   only these frameworks, e.g. --only=node,fastify
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
    const about = `${usage}\nThe frameworks: ${frameworks.join(", ")}`;
    console.log(unknown === undefined ? about : `unknown framework: ${unknown}\n${about}`);
    process.exit(unknown === undefined ? 0 : 2);
  }
  const { json, quick, node } = values;
  return { json, quick, only, nodes: [process.execPath, ...node] };
}
