/**
 * Walks a site with at most two downloads at a time. A download that fails cancels the others, which
 * clean up before `group` throws.
 *
 * prints: visited: / /docs /blog /docs/start /docs/errors
 * prints: walk stopped: Error: 500 for /broken
 * prints: failed while cleaning up: Error: could not save /slow
 */
import { background, group, sleep, type Context, type Group } from "eightysix";

const site: Record<string, string[]> = {
  "/": ["/docs", "/blog"],
  "/docs": ["/docs/start", "/docs/errors"],
  "/stale": ["/slow", "/broken"],
};

async function download(ctx: Context, path: string): Promise<string[]> {
  await sleep(ctx, path === "/slow" ? 60_000 : 10);
  if (path === "/broken") throw new Error(`500 for ${path}`);
  return site[path] ?? [];
}

async function walk(ctx: Context, start: string): Promise<string[]> {
  const visited: string[] = [];
  const visit = (g: Group, path: string): void => {
    void g.go(async (ctx) => {
      try {
        const links = await download(ctx, path);
        visited.push(path);
        for (const link of links) visit(g, link); // a task may start tasks
      } finally {
        if (path === "/slow") throw new Error(`could not save ${path}`);
      }
    });
  };
  await group(
    ctx,
    (g) => {
      visit(g, start);
    },
    { limit: 2 },
  );
  return visited;
}

console.log("visited:", ...(await walk(background(), "/")));
try {
  await walk(background(), "/stale");
} catch (error) {
  console.log(`walk stopped: ${String(error)}`);
  const { suppressed } = error as { suppressed: unknown[] };
  console.log(`failed while cleaning up: ${suppressed.join()}`);
}
