import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Programs of a server that the machine's own packages install. */
export interface Programs {
  /** As in messages. */
  readonly server: string;
  /** In messages and variables: `EIGHTYSIX_TEST_<NAME>_BIN` is where to look first. */
  readonly variable: string;
  /** Debian's name of the package. */
  readonly debian: string;
  /** What else helps: a sentence, or nothing. */
  readonly otherwise?: string;
}

/**
 * The path of the first of `names` that is there: in the directory that the variable names, in
 * PATH, or where system packages put servers, which is often outside of an ordinary user's PATH.
 *
 * Throws an Error that says what to install or set.
 */
export function installed(programs: Programs, ...names: string[]): string {
  const bin = process.env[`${programs.variable}_BIN`];
  const directories = bin
    ? [bin]
    : [...(process.env["PATH"] ?? "").split(delimiter), ...usual].filter((d) => d !== "");
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (runs(path)) return path;
    }
  }
  const { server, variable, debian, otherwise = "" } = programs;
  throw new Error(
    `There is no ${names.join(" or ")} ${bin ? `in ${bin}` : "on this machine"}. ` +
      `Install ${server} (Debian: apt-get install ${debian}), ` +
      `or set ${variable}_BIN to the directory of its programs. ${otherwise}`.trimEnd(),
  );
}

/** What `installed` would throw, as a text; undefined if it is there. */
export function missing(programs: Programs, ...names: string[]): string | undefined {
  try {
    installed(programs, ...names);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const usual = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

function runs(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Settings as lines of a configuration file. */
export function lines(
  settings: Readonly<Record<string, string | number>>,
  separator: "=" | " ",
): string[] {
  return Object.entries(settings).map(([name, value]) => `${name}${separator}${value}`);
}
