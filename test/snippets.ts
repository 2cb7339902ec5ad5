/**
 * Finds, type-checks and runs the ts and js blocks of a Markdown file. Each block is a module of its
 * own.
 *
 * A block is run to its end and must exit with 0. Its output must be the lines of its
 * `// prints: …` comments, or of a `text` block directly after it. In such a line, … stands for any
 * text.
 *
 * A block that imports a driver, or the adapter of one, finds a server through the variables that
 * support/services/ has for it, such as PGHOST or REDIS_URL. Prisma's client, with a model `Order`, is
 * in "./generated/prisma".
 *
 * A comment directly before a block, `<!-- snippet: … -->`, changes how the block is checked:
 *
 *   no-run                    It is only type-checked.
 *   continues                 It continues the block before it.
 *   vitest                    It is a test file of vitest, and must pass.
 *   client URL [leaves MS]    It is a server. When the server listens, a client requests this URL,
 *                             and disconnects after MS milliseconds. The server is killed when
 *                             its output is complete.
 *   signal NAME               When its output is complete, it gets this signal, such as SIGTERM, and
 *                             must exit with 0.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { generate } from "./support/prisma.ts";

const tsconfig = fileURLToPath(new URL("../tsconfig.json", import.meta.url));

export interface Block {
  /** Such as "README.md:12". */
  name: string;
  /** The path of the written module. */
  file: string;
  code: string;
  option: string;
  /** The lines that the block must print; `undefined` if the document names none. */
  expected: string[] | undefined;
}

/**
 * Writes the blocks of a document into `dir`, and returns them. A line of a module has the number that
 * it has in the document.
 */
export async function blocksOf(doc: string, dir: string): Promise<Block[]> {
  const text = await readFile(doc, "utf8");
  const home = join(dir, basename(doc));
  await mkdir(dir, { recursive: true });
  const blank = (part: string): string => part.replace(/[^\n]+/g, "");
  const blocks: Block[] = [];
  let code = "";
  let end = 0;
  for (const match of text.matchAll(
    /^(?:<!-- snippet: (.*) -->\n+)?(```(ts|js)\n)([^]*?)^```\n(?:\n*```text\n([^]*?)^```)?/gm,
  )) {
    // Fails for a second document of this name, which would overwrite the first.
    if (blocks.length === 0) await mkdir(home);
    const [all, option = "", fence = "", lang = "", body = "", output] = match;
    const start = match.index + all.indexOf(fence) + fence.length;
    const begin = option === "continues" ? code + blank(text.slice(end, start)) : "";
    code = (begin || blank(text.slice(0, start))) + body;
    end = start + body.length;
    const prints = [...code.matchAll(/\/\/ prints: (.*)/g)].map((print) => print[1] ?? "");
    const expected = output?.trimEnd().split("\n") ?? (prints.length > 0 ? prints : undefined);
    const line = blank(text.slice(0, start)).length;
    const file = join(home, `${line}.${lang}`);
    blocks.push({ name: `${basename(doc)}:${line}`, file, code, option, expected });
    await writeFile(file, code);
  }
  if (text.includes("./generated/prisma/"))
    await generate(join(home, "generated/prisma"), "orders");
  return blocks;
}

/** Compiles everything in `dir` against the source of the library, and returns the errors. */
export async function typeErrors(dir: string): Promise<string[]> {
  const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");
  const check = async (ext: string, compilerOptions: object): Promise<string[]> => {
    const project = join(dir, `tsconfig.${ext}.json`);
    const config = { extends: tsconfig, compilerOptions, include: [`**/*.${ext}`], exclude: [] };
    await writeFile(project, JSON.stringify(config));
    return new Promise((resolve) => {
      const args = [tsc, "-p", project, "--pretty", "false"];
      execFile(process.execPath, args, { cwd: dir }, (_, stdout) => {
        const none = "TS18003"; // no file has this extension
        resolve(stdout.split("\n").filter((line) => line !== "" && !line.includes(none)));
      });
    });
  };
  const plain = { noImplicitAny: false, useUnknownInCatchVariables: false };
  return [...(await check("ts", {})), ...(await check("js", plain))];
}

/** Runs a block. Throws an error that says what is wrong with it, and what it printed. */
export async function run(
  block: Block,
  env: Record<string, string>,
  bound = 20_000,
): Promise<void> {
  const program = `${block.file}.mjs`;
  const options = { bundle: true, format: "esm", platform: "node", packages: "external" } as const;
  await build({
    ...{ ...options, target: "node20", sourcemap: "inline", tsconfig },
    ...{ entryPoints: [block.file], outfile: program },
  });
  const args =
    block.option === "vitest" ? await vitestArguments(program) : ["--enable-source-maps", program];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...env },
    timeout: bound,
    killSignal: "SIGKILL",
  });
  let printed = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (printed += String(chunk)));
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const closed = once(child, "close") as Promise<[code: number | null]>;
  const isRight = (): boolean => block.expected === undefined || same(printed, block.expected);

  const lives = (): boolean => child.exitCode === null && child.signalCode === null;

  const complete = async (): Promise<void> => {
    const until = Date.now() + bound / 2;
    while (!isRight() && lives() && Date.now() < until) await delay(10);
  };

  const [, url, leaves] = /^client (\S+)(?: leaves (\d+))?$/.exec(block.option) ?? [];
  const [, signal] = /^signal (\w+)$/.exec(block.option) ?? [];
  let wrong: string | false = false;
  if (url !== undefined) {
    const answer = await visit(url, Number(leaves ?? bound), lives);
    if (answer instanceof Error && leaves === undefined) wrong = String(answer);
    await complete();
    if (!lives()) wrong = "the server ended by itself";
    child.kill();
  }
  if (signal !== undefined) {
    await complete();
    if (!lives()) wrong = `ended before ${signal}`;
    child.kill(signal as NodeJS.Signals);
  }
  const [code] = await closed;
  if (url === undefined && code !== 0) {
    if (code !== null) wrong ||= `exit ${code}`;
    else
      wrong ||= child.signalCode === signal ? `died of ${signal}` : `still ran after ${bound} ms`;
  }
  if (!isRight()) wrong ||= `should have printed:\n${block.expected?.join("\n") ?? ""}`;
  if (wrong) throw new Error(`${wrong}\n--- printed:\n${printed}--- errors:\n${errors}`);
}

/** Returns the arguments of Node that run a test file with vitest, without the configuration of this project. */
async function vitestArguments(program: string): Promise<string[]> {
  const config = `${program}.config.mjs`;
  const options = { root: dirname(program), test: { include: [basename(program)] } };
  await writeFile(config, `export default ${JSON.stringify(options)};`);
  const home = dirname(createRequire(import.meta.url).resolve("vitest/package.json"));
  return [join(home, "vitest.mjs"), "run", "--config", config];
}

/**
 * Requests a URL as soon as a server listens there, and disconnects `leaves` milliseconds after the
 * connection is open. Resolves with the error, if there was one.
 */
async function visit(url: string, leaves: number, mayCome: () => boolean): Promise<unknown> {
  for (;;) {
    const err = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      const asked = get(url, { agent: false }, (answer) => answer.resume().on("end", resolve));
      const leave = (): unknown => setTimeout(() => asked.destroy(new Error("no answer")), leaves);
      asked.on("error", resolve).on("socket", (socket) => socket.on("connect", leave));
    });
    if (err?.code !== "ECONNREFUSED" || !mayCome()) return err;
    await delay(20);
  }
}

/** Returns whether `printed` consists of the expected lines, in which … stands for any text. */
function same(printed: string, expected: string[]): boolean {
  const lines = printed.trimEnd().split("\n");
  const pattern = (line: string): RegExp =>
    new RegExp(`^${line.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*")}$`);
  return (
    lines.length === expected.length && expected.every((x, i) => pattern(x).test(lines[i] ?? ""))
  );
}
