/** How tests wait, and how they find their own queries on the server. */

/** Polls until the condition holds. Throws after `within` milliseconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  within = 20_000,
): Promise<void> {
  const giveUp = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > giveUp)
      throw new Error(`not within ${within} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

let unique = 0;
/** Returns a comment for SQL, by which a test finds its query on the server. */
export function mark(): string {
  return `/* ${process.pid}-${++unique} */`;
}
