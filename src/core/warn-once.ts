/** Process warnings that are emitted once for each place in the program. */
import { warn } from "./warn.ts";

/**
 * The most places that are remembered of each code, because a program can create functions for ever.
 */
const MOST_PLACES = 1_000;

/** The places of each code, so that one code cannot silence the others. */
const warned = new Map<string, Set<string>>();

/**
 * Emits a process warning, unless this one was emitted with the same `place` before. `detail` is what
 * is printed below the message, by default the place.
 */
export function warnOnce(code: string, message: string, place: string, detail = place): void {
  const places = warned.get(code) ?? new Set<string>();
  warned.set(code, places);
  const key = `${message}\n${place}`;
  if (places.has(key) || places.size >= MOST_PLACES) return;
  places.add(key);
  warn(message, { type: "EightysixWarning", code, detail });
}
