/** Process warnings that are emitted once for each place in the program. */
import { warn } from "./warn.ts";

/** The most places that are remembered, because a program can create functions for ever. */
const MOST_PLACES = 1_000;

const warned = new Set<string>();

/**
 * Emits a process warning, unless this one was emitted with the same `place` before. `detail` is what
 * is printed below the message, by default the place.
 */
export function warnOnce(code: string, message: string, place: string, detail = place): void {
  const key = `${message}\n${place}`;
  if (warned.has(key) || warned.size >= MOST_PLACES) return;
  warned.add(key);
  warn(message, { type: "EightysixWarning", code, detail });
}
