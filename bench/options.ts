import { parseArgs } from "node:util";

export interface Options {
  json: boolean;
  quick: boolean;
  only: RegExp | undefined;
  /** Paths of the Node binaries to measure. */
  nodes: string[];
}

const usage = (command: string): string => `${command} -- [options]
  --quick          one short round, for development only
  --only=<regex>   only the cases whose name matches, e.g. --only=derive
  --node=<path>    measure this Node as well (repeatable)
  --json           print all figures of all rounds as JSON`;

export function parseOptions(args: string[], command: string): Options {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      node: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage(command));
    process.exit(0);
  }
  return {
    json: values.json,
    quick: values.quick,
    only: values.only === undefined ? undefined : new RegExp(values.only),
    nodes: [process.execPath, ...values.node],
  };
}
