/** How tests wait, and how they find their own queries on a server. */

/** Resolves when the condition holds. Rejects after `within` milliseconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  within = 20_000,
): Promise<void> {
  const giveUp = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > giveUp)
      throw new Error(`this condition did not hold within ${within} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

let unique = 0;
/** Returns a unique comment for SQL, so that a test can find its own query on the server. */
export function mark(): string {
  return `/* ${process.pid}-${++unique} */`;
}
