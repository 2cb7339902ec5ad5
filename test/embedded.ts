/** What the tests of the engines that run inside this process share. */
import { background, withCancel, type Context } from "../src/index.ts";

export const delay = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

/** Resolves when `isSo()`; fails after 10 s, which even a busy machine keeps. */
export async function until(isSo: () => boolean): Promise<void> {
  const ends = performance.now() + 10_000;
  while (!isSo()) {
    if (performance.now() > ends) throw new Error(`not within 10 s: ${String(isSo)}`);
    await delay(1);
  }
}

/** CPU milliseconds that this process, with all the engine's threads, has used. */
export function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Resolves when the engine computes: it has used 30 ms of CPU since the call. */
export async function computing(): Promise<void> {
  const before = cpu();
  await until(() => cpu() > before + 30);
}

/** Resolves when the whole process has used less than a tenth of a CPU for 100 ms. */
export async function quiet(): Promise<void> {
  for (const ends = performance.now() + 10_000; ;) {
    const before = cpu();
    const then = performance.now();
    await delay(100);
    if (cpu() - before < (performance.now() - then) / 10) return;
    if (performance.now() > ends) throw new Error("the engine still computes");
  }
}

/** The longest time for which the event loop could not run a timer while `fn` was running. */
export async function longestBlock(fn: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const beat = (): void => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(beat, 1);
  await fn().finally(() => clearInterval(timer));
  beat();
  return longest;
}

/** A repeatable random number in [0, 1). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Four lanes on one handle mix innocent queries with ones that are canceled early, late and too
 * late. Returns how many of each kind there were; `wrong` must be empty.
 */
export async function fuzz(options: {
  seed: number;
  cancels: number;
  /** Answers `n`, quickly. */
  short: (ctx: Context, n: number) => Promise<number>;
  /** Runs for about so many milliseconds, answers `n`. */
  long: (ctx: Context, n: number, ms: number) => Promise<number>;
}): Promise<{ stopped: number; beaten: number; innocent: number; wrong: unknown[] }> {
  const random = seeded(options.seed);
  const count = { stopped: 0, beaten: 0, innocent: 0, wrong: [] as unknown[] };
  let cancels = 0;

  const canceled = async (n: number): Promise<void> => {
    using ctx = withCancel(background());
    const query =
      random() < 0.5 ? options.short(ctx, n) : options.long(ctx, n, Math.ceil(random() * 3));
    const answer = query.then(
      (value) => (count.beaten++, value === n ? undefined : new Error(`${value} for ${n}`)),
      (error: unknown) => (count.stopped++, error === ctx.err() ? undefined : error),
    );
    const turns = Math.floor(random() * 6);
    for (let i = 0; i < turns; i++) await new Promise(setImmediate);
    if (random() < 0.5) await delay(random() * 8);
    if (random() < 0.1) await answer;
    ctx.cancel();
    const wrong = await answer;
    if (wrong !== undefined) count.wrong.push(wrong);
  };
  const innocent = async (n: number): Promise<void> => {
    count.innocent++;
    const value = await options.short(background(), n).catch((error: unknown) => error);
    if (value !== n) count.wrong.push(value);
  };
  const lane = async (): Promise<void> => {
    for (let n = 0; cancels < options.cancels; n++) {
      if (random() < 0.5) await innocent(n);
      else {
        cancels++;
        await canceled(n);
      }
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return count;
}
