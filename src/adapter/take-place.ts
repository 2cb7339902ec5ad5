/** The wait for a place: a turn on a connection that several callers share, or a thread of an engine. */
import { throwIfDone, type Context, type Permit, type Semaphore } from "../index.ts";
import { explainWait } from "./held-connection.ts";

/**
 * Takes one of `places`, as `acquire` does. The caller must release it. If the places are the `pool`
 * of a `SessionSource`, and a call waits for a place that its own caller holds, a process warning
 * says so.
 */
export async function takePlace(places: Semaphore, ctx: Context): Promise<Permit> {
  throwIfDone(ctx);
  // Without a wait, the promise of `acquire` would only cost a turn of the microtasks.
  const permit = places.tryAcquire();
  if (permit !== undefined) return permit;
  try {
    return await places.acquire(ctx);
  } catch (error) {
    explainWait(places, ctx);
    throw error;
  }
}
