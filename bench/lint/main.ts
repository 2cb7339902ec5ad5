/** `npm run bench:lint`: what the rules of eightysix/eslint add to the lint of a project. See ../README.md. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { aboutRun, heading, versionOf } from "../report/about.ts";
import { median } from "../measure/cpu.ts";
import type { Figures, Variant } from "./child.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});
const rounds = values.quick ? 1 : 3;
const MOST = 1.1;

const names: Record<Variant, string> = {
  typed: "strictTypeChecked of typescript-eslint",
  "typed+ours": "the same, and eightysix.configs.recommended",
  parse: "no rule, without types",
  "parse+ours": "eightysix.configs.recommended alone, without types",
};
const variants = Object.keys(names) as Variant[];

const run = promisify(execFile);
const child = fileURLToPath(new URL("child.js", import.meta.url));
async function measure(variant: Variant): Promise<Figures> {
  const args = ["--max-old-space-size=6144", child, variant];
  const { stdout } = await run(process.execPath, args, { maxBuffer: 1e8 });
  return JSON.parse(stdout) as Figures;
}

const measured = new Map<Variant, Figures[]>(variants.map((variant) => [variant, []]));
for (let round = 0; round < rounds; round++) {
  // Turn and turn about, so that a disturbance of the machine meets both sides.
  for (const variant of round % 2 === 0 ? variants : [...variants].reverse()) {
    process.stderr.write(`round ${String(round + 1)} of ${String(rounds)}: ${variant} …\n`);
    measured.get(variant)?.push(await measure(variant));
  }
}

const of = (variant: Variant): Figures[] => measured.get(variant) ?? [];
const ratio = (a: Variant, b: Variant): number =>
  median(of(a).map(({ cpu }, i) => cpu / (of(b)[i]?.cpu ?? Number.NaN)));
const seconds = (variant: Variant): string =>
  (median(of(variant).map(({ cpu }) => cpu)) / 1e3).toFixed(1);

const about = aboutRun(
  [
    `Node ${process.versions.node}`,
    ...["eslint", "typescript-eslint", "typescript"].map((name) => `${name} ${versionOf(name)}`),
  ],
  "npm run bench:lint",
);
const added = ratio("typed+ours", "typed");
if (values.json) {
  console.log(JSON.stringify({ about, measured: Object.fromEntries(measured) }, null, 2));
} else {
  const files = of("typed")[0]?.files ?? 0;
  console.log(heading(about));
  console.log(`CPU time of a whole process that lints the ${String(files)} files of src.\n`);
  console.log(`| lint | CPU, s | × |\n| --- | ---: | ---: |`);
  for (const variant of variants) {
    const base = variant.replace("+ours", "") as Variant;
    const cells = [names[variant], seconds(variant), ratio(variant, base).toFixed(2)];
    console.log(`| ${cells.join(" | ")} |`);
  }
  console.log(
    `\nrecommended adds at most 10 % to a typed lint: ${added <= MOST ? "met" : "NOT MET"}`,
  );
}
if (added > MOST) process.exitCode = 1;
