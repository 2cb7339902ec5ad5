/**
 * The span (how many customers, visitors, products a report covers) at which
 * `run(span)` takes about `target` ms on this machine as it is now, at most
 * `maximum`. The reports' cost grows linearly with their span, and the data are
 * made for machines several times as fast as a small virtual one.
 *
 * Runs the report three to six times, about `target` ms in all.
 */
export async function calibrate(
  run: (span: number) => Promise<unknown>,
  maximum: number,
  target: number,
): Promise<number> {
  let span = Math.max(1, Math.round(maximum / 64));
  await run(span); // warms caches
  for (;;) {
    const start = performance.now();
    await run(span);
    const elapsed = performance.now() - start;
    // A shorter sample is mostly start-up cost and would promise too much.
    if (elapsed >= target / 4 || span === maximum) {
      return Math.min(maximum, Math.max(1, Math.round((span * target) / elapsed)));
    }
    span = Math.min(maximum, Math.ceil(span * Math.min(8, Math.max(1.5, target / 3 / elapsed))));
  }
}
