/** Process warnings that are emitted once for each place in the program. */

/** The most places that are remembered, because a program can create functions for ever. */
const MOST_PLACES = 1_000;

const warned = new Set<string>();

type EmitWarning = (
  message: string,
  options: { type: string; code: string; detail?: string },
) => void;

/** Emits a process warning, unless this one was emitted with the same `place` before. */
export function warnOnce(code: string, message: string, place: string): void {
  const key = `${message}\n${place}`;
  if (warned.has(key) || warned.size >= MOST_PLACES) return;
  warned.add(key);
  const { process } = globalThis as { process?: { emitWarning?: EmitWarning } };
  process?.emitWarning?.(message, { type: "EightysixWarning", code, detail: place });
}
