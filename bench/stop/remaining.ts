/**
 * Measures how long a server works after an abort: until the server itself says that the operation
 * no longer runs.
 */
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import {
  ABORT_AFTER,
  type Attempt,
  type Bare,
  type Opened,
  type Way,
  type Work,
} from "./driver.ts";

/** All figures are milliseconds. */
export interface Remaining {
  readonly work: string;
  readonly race: Figures;
  readonly own: Figures | undefined;
  readonly byHand: Figures | undefined;
  readonly ours: Figures;
  /** The bare cancels that took turns with `ours`, under the same observer. */
  readonly bare: readonly number[] | undefined;
  /** How long each question of the observer took. No figure here is more exact than that. */
  readonly looks: readonly number[];
}

export interface Figures {
  readonly what: string;
  readonly remaining: readonly number[];
  /** Milliseconds from the abort until the caller's promise settled. */
  readonly told: readonly number[];
}

export interface Repetitions {
  /** Repetitions of a way that stops the server. */
  readonly stops: number;
  /** Repetitions of a way that does not stop the server. Each takes as long as the operation. */
  readonly doesNot: number;
}

/** If an operation runs for longer than this after its abort, it was not stopped. Milliseconds. */
const NO_STOP = 500;

export async function remainingOf(
  work: Work,
  { bare }: Opened,
  repetitions: Repetitions,
): Promise<Remaining> {
  const looks: number[] = [];
  const repeat = async (way: Way, before?: () => Promise<unknown>): Promise<Figures> => {
    const remaining: number[] = [];
    const told: number[] = [];
    // The first stop opens connections and is not compiled yet, so it does not count.
    for (let n = 0; n <= repetitions.stops; n++) {
      await before?.();
      const one = await attempt(work, way, looks);
      if (n === 0 && one.remaining < NO_STOP) continue;
      remaining.push(one.remaining);
      told.push(one.told);
      if (remaining.length === repetitions.doesNot && Math.min(...remaining) > NO_STOP) break;
    }
    return { what: way.what, remaining, told };
  };
  const race = await repeat(work.race);
  const own = work.own && (await repeat(work.own));
  const byHand = work.byHand && (await repeat(work.byHand));
  const others = { work: work.name, race, own, byHand, looks };
  if (typeof bare === "string") {
    return { ...others, ours: await repeat(work.ours), bare: undefined };
  }
  const bares: number[] = [];
  await bareCancel(work, bare);
  const ours = await repeat(work.ours, async () => bares.push(await bareCancel(work, bare)));
  return { ...others, ours, bare: bares };
}

async function attempt(
  work: Work,
  way: Way,
  looks: number[],
): Promise<{ remaining: number; told: number }> {
  const began = performance.now();
  const { answer, over = answer, abort } = way.start();
  let toldAt: number | undefined;
  const told = answer.then(
    () => (toldAt = performance.now()),
    () => (toldAt = performance.now()),
  );
  const early = (): Promise<never> =>
    answer.then(() => {
      throw new Error(`${way.what}, ${work.name}: the operation ended before it could be aborted`);
    });
  const seen = async (): Promise<void> => {
    while (!(await work.running())) {
      if (toldAt !== undefined) await early();
      if (performance.now() - began > 10_000)
        throw new Error(`${work.name} did not begin within 10 s`);
      await pause(1);
    }
  };
  await seen();
  const abortedAt = await abortIt(abort, began);

  let endedAt = await firstNo(work, looks);
  // A thread may sleep for a moment in the middle of an operation, so ask twice.
  while ((await work.running()) || (await work.running())) endedAt = await firstNo(work, looks);
  await Promise.all([told, over.catch(() => undefined)]);
  return { remaining: endedAt - abortedAt, told: (toldAt ?? Number.NaN) - abortedAt };
}

/** Aborts, or waits until the driver does. Returns the moment of the abort. */
async function abortIt(abort: Attempt["abort"], began: number): Promise<number> {
  if (typeof abort === "number") {
    const at = began + abort;
    if (performance.now() > at)
      throw new Error("the operation was seen running only after the driver's time limit");
    await pause(at - performance.now());
    return at;
  }
  await pause(ABORT_AFTER);
  const at = performance.now();
  abort();
  return at;
}

/** Asks without a pause. Returns the moment when the server first said no. */
async function firstNo(work: Work, looks: number[]): Promise<number> {
  for (;;) {
    const asked = performance.now();
    const running = work.running();
    const is = typeof running === "boolean" ? running : await running;
    const told = performance.now();
    looks.push(told - asked);
    if (!is) return told;
    if (typeof running === "boolean") await turn();
  }
}

/**
 * Measures a bare cancel in the same way as a stop: after the same pause, in which CPUs and caches
 * turn to other work, and under the same observer. Otherwise the ratio would show the state of the
 * machine.
 */
async function bareCancel(work: Work, { cancel }: Bare): Promise<number> {
  await pause(ABORT_AFTER);
  const began = performance.now();
  let over = false;
  const canceled = cancel().finally(() => (over = true));
  const took = canceled.then(() => performance.now() - began);
  while (!over) await work.running();
  return took;
}
