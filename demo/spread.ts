/**
 * An SQL expression for a number in [0, range) that looks random and is the
 * same for the same `n` and seed in every engine and version, which their own
 * random functions and hashes are not. `n` must be a 64-bit expression below 2^31.
 * Small results are more frequent than large ones, as sales are.
 */
export function spread(n: string, seed: number, range: number): string {
  const a = `((${n} + ${seed % 10_007}) * 48271 % 2147483647)`;
  const b = `(${a} * 16807 % 2147483647)`;
  return `(${a} % ${range} * (${b} % ${range}) / ${range})`;
}
