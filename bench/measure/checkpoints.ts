/** The loop that asks with `checkpoint` in each turn whether it should stop. */
import { checkpoint, type Context } from "eightysix";
import { perTurn } from "./per-op.ts";

/**
 * Returns the CPU nanoseconds of one `checkpoint` of a loop that awaits only the promises, and how
 * many promises it got. Throws if it got none.
 */
export async function perCheckpoint(ctx: Context): Promise<{ value: number; turns: number }> {
  let turns = 0;
  const value = await perTurn(async (n) => {
    for (let i = 0; i < n; i++) {
      const turn = checkpoint(ctx);
      if (turn === undefined) continue;
      turns++;
      await turn;
    }
  });
  if (turns === 0) throw new Error("the loop never let others in");
  return { value, turns };
}

/**
 * Returns the CPU nanoseconds of one `checkpoint` of a loop that awaits every call, for which the
 * language creates a promise each time.
 */
export async function perAwaitedCheckpoint(ctx: Context): Promise<{ value: number }> {
  const value = await perTurn(async (n) => {
    for (let i = 0; i < n; i++) await checkpoint(ctx);
  });
  return { value };
}
