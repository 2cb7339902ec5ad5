/** Measures semaphores: one that is free, and one with many callers in its queue. */
import { background, Semaphore, withCancel } from "eightysix";
import type { Case, Cases, Figures } from "../../cases/index.ts";
import { perCall, perWaiter, work } from "../measure.ts";

/** What a semaphore does for one caller: it takes a token, does `job`, and gives the token back. */
type Use = (job: () => unknown) => Promise<unknown>;

/** Measures `use` on a semaphore that is free. */
async function free(use: Use): Promise<Figures> {
  let jobs = 0;
  return perCall(
    () => use(() => jobs++),
    () => jobs === 1,
  );
}

/** Measures `use` by `n` callers at the same time, one after the other. */
async function queued(n: number, use: Use): Promise<Figures> {
  let [jobs, running, most] = [0, 0, 0];
  const job = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await work(jobs++);
    running--;
  };
  return perWaiter(
    n,
    () => use(job),
    () => most === 1 && jobs % n === 0,
  );
}

/**
 * Returns the cases of one package. `open` creates a semaphore with one token. Some packages take
 * minutes for 100,000 callers, because their time grows with the square of the number.
 */
function casesOf(name: string, open: () => Use | Promise<Use>): Cases {
  const measure =
    (how: (use: Use) => Promise<Figures>): Case =>
    async () =>
      how(await open());
  return {
    [`${name}-free`]: measure(free),
    [`${name}-10k`]: measure((use) => queued(10_000, use)),
    [`${name}-100k`]: measure((use) => queued(100_000, use)),
  };
}

export const cases: Cases = {
  ...casesOf("ours", () => {
    const ctx = withCancel(background());
    const semaphore = new Semaphore(1);
    return async (job) => {
      const permit = await semaphore.acquire(ctx);
      await job();
      permit.release();
    };
  }),

  ...casesOf("ours-use", () => {
    const ctx = withCancel(background());
    const semaphore = new Semaphore(1);
    return (job) => semaphore.use(ctx, job);
  }),

  ...casesOf("async-mutex", async () => {
    const { Semaphore } = await import("async-mutex");
    const semaphore = new Semaphore(1);
    return async (job) => {
      const [, release] = await semaphore.acquire();
      await job();
      release();
    };
  }),

  ...casesOf("async-sema", async () => {
    const { Sema } = await import("async-sema");
    const semaphore = new Sema(1);
    return async (job) => {
      await semaphore.acquire();
      await job();
      semaphore.release();
    };
  }),

  ...casesOf("p-limit", async () => {
    const { default: pLimit } = await import("p-limit");
    const limit = pLimit(1);
    return (job) => limit(job);
  }),

  ...casesOf("effect", async () => {
    const { Effect, Semaphore } = await import("effect");
    const semaphore = Semaphore.makeUnsafe(1);
    return (job) =>
      Effect.runPromise(semaphore.withPermit(Effect.promise(async () => await job())));
  }),
};
