/**
 * Resizes pictures, three at a time, while it reads their names from a list that arrives slowly. The
 * results keep the order of the list. The loop is left early, and what runs is stopped.
 *
 * prints: a.png is small
 * prints: b.png is small
 * prints: the list is closed
 * prints: resized at the same time: 3
 */
import { background, map, sleep, type Context } from "eightysix";

async function* names(): AsyncGenerator<string> {
  try {
    for (const name of ["a.png", "b.png", "c.png", "d.png", "e.png"]) {
      await sleep(background(), 1);
      yield name;
    }
  } finally {
    console.log("the list is closed");
  }
}

let running = 0;
let most = 0;

async function resize(ctx: Context, name: string): Promise<string> {
  most = Math.max(most, ++running);
  try {
    await sleep(ctx, name === "a.png" ? 60 : 30); // b and c are ready first, and wait for a
    return `${name} is small`;
  } finally {
    running--;
  }
}

for await (const result of map(background(), names(), resize, { limit: 3 })) {
  console.log(result);
  if (result.startsWith("b")) break;
}
console.log(`resized at the same time: ${most}`);
