/** The settings of the plugin: `settings: { eightysix: { modules: ["#context"] } }`. */
import { show } from "../core/show.ts";

/** What the settings of ESLint may hold for the plugin. */
export interface Settings {
  eightysix?: {
    /** Modules of the user's own that export functions of eightysix by the same names. */
    modules?: readonly string[];
  };
}

/**
 * Checks the settings of a configuration.
 *
 * @throws {TypeError} If `modules` is no array of strings.
 */
export function checkSettings(settings: Readonly<Record<string, unknown>>): void {
  const { eightysix } = settings;
  if (eightysix === undefined) return;
  if (typeof eightysix !== "object" || eightysix === null || Array.isArray(eightysix))
    throw new TypeError(
      `settings.eightysix must be an object such as { modules: ["#context"] }, and is ${showIt(eightysix)}.`,
    );
  const { modules } = eightysix as { modules?: unknown };
  if (modules === undefined) return;
  const isArray = Array.isArray(modules);
  const wrong = isArray
    ? (modules as unknown[]).filter((one) => typeof one !== "string")
    : [modules];
  if (wrong.length === 0) return;
  const what = `${isArray ? "contains" : "is"} ${showIt(wrong[0])}`;
  throw new TypeError(
    `settings.eightysix.modules must be an array of module names such as ["#context"], and ${what}.`,
  );
}

function showIt(x: unknown): string {
  return Array.isArray(x) ? "an array" : show(x);
}
