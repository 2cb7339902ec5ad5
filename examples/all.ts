/**
 * Loads the parts of a page at the same time. If one part fails, the others stop.
 *
 * prints: Ada has 2 orders
 * prints: orders stopped: context canceled
 * prints: no page: Error: no user 8
 */
import { all, background, sleep, type Context } from "eightysix";

async function findUser(ctx: Context, id: number): Promise<{ name: string }> {
  await sleep(ctx, 5);
  if (id !== 7) throw new Error(`no user ${id}`);
  return { name: "Ada" };
}

async function listOrders(ctx: Context): Promise<string[]> {
  try {
    await sleep(ctx, 50);
    return ["tea", "cake"];
  } catch (error) {
    console.log(`orders stopped: ${(error as Error).message}`);
    throw error;
  }
}

async function page(ctx: Context, id: number): Promise<string> {
  const [user, orders] = await all(ctx, [(ctx) => findUser(ctx, id), listOrders]);
  return `${user.name} has ${orders.length} orders`;
}

console.log(await page(background(), 7));
await page(background(), 8).catch((error: unknown) => {
  console.log(`no page: ${String(error)}`);
});
