/** Which package a file belongs to. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const names = new Map<string, string | undefined>();

/**
 * Returns the name in the nearest package.json above a file. Each folder is read once, because a rule
 * asks for every call.
 */
export function packageOf(file: string): string | undefined {
  const folder = dirname(file);
  if (!names.has(folder)) names.set(folder, nameIn(folder));
  return names.get(folder);
}

function nameIn(folder: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      name?: string;
    };
    if (name !== undefined) return name;
  } catch {
    // There is none, or it cannot be read: the one above counts.
  }
  return dirname(folder) === folder ? undefined : packageOf(folder);
}
