import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** The programs of a server that the machine's packages install. */
export interface Programs {
  /** The name for messages. */
  readonly server: string;
  /** `EIGHTYSIX_TEST_<NAME>`. With "_BIN" appended, the variable that names their directory. */
  readonly variable: string;
  /** The name of Debian's package. */
  readonly debian: string;
  /** One more sentence of advice. */
  readonly otherwise?: string;
  /** Returns whether the program at `path` is the right one. Absent if its name alone says so. */
  readonly isRight?: (path: string) => boolean;
}

/**
 * Returns the path of the first of `names` that exists: in the directory that the variable names, in
 * PATH, or where system packages put servers, which is often outside of a user's PATH.
 *
 * Throws an Error that says what to install or set if there is none.
 */
export function installed(programs: Programs, ...names: string[]): string {
  const bin = process.env[`${programs.variable}_BIN`];
  const directories = bin
    ? [bin]
    : [...(process.env["PATH"] ?? "").split(delimiter), ...usual].filter((d) => d !== "");
  for (const name of names) {
    for (const directory of directories) {
      const path = join(directory, name);
      if (runs(path) && isRight(programs, path)) return path;
    }
  }
  const { server, variable, debian, otherwise = "" } = programs;
  throw new Error(
    `There is no ${names.join(" or ")} ${bin ? `in ${bin}` : "on this machine"}. ` +
      `Install ${server} (Debian: apt-get install ${debian}), ` +
      `or set ${variable}_BIN to the directory of its programs. ${otherwise}`.trimEnd(),
  );
}

/** Returns the message that `installed` would throw, or `undefined` if the program exists. */
export function missing(programs: Programs, ...names: string[]): string | undefined {
  try {
    installed(programs, ...names);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function isRight(programs: Programs, path: string): boolean {
  try {
    return programs.isRight?.(path) ?? true;
  } catch {
    return false; // it does not run on this machine
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

/** Returns settings as lines of a configuration file. */
export function lines(
  settings: Readonly<Record<string, string | number>>,
  separator: "=" | " " | " = ",
): string[] {
  return Object.entries(settings).map(([name, value]) => `${name}${separator}${value}`);
}
