/** Mistakes in calls, in words that say what to write instead. */
import { isJavaScriptClient, queryClassOf, type Client } from "./driver.ts";

/** Throws a TypeError unless these can be the arguments of a query; says what to write instead. */
export function needQuery(args: readonly unknown[]): void {
  const misuse = misuseOf(args);
  if (misuse !== undefined) throw new TypeError(misuse);
}

function misuseOf([query, values]: readonly unknown[]): string | undefined {
  const { submit } = Object(query) as { submit?: unknown };
  if (typeof submit === "function") {
    return "query(ctx, …) takes SQL or a config object, not a Query or a cursor, whose end it cannot know; stream(ctx, …) reads rows as they come";
  }
  if (typeof query !== "string" && (typeof query !== "object" || query === null)) {
    return `query(ctx, …) takes SQL or a config object, got ${String(query)}`;
  }
  if (typeof values === "function") {
    return "query(ctx, …) returns a promise; leave the callback out";
  }
  return undefined;
}

/** Throws a TypeError unless it is a client whose queries can be stopped one by one. */
export function needClient(driver: unknown, name: string): asserts driver is Client {
  const client = driver as Client;
  if (driver == null || !isJavaScriptClient(client) || queryClassOf(client) === undefined) {
    throw new TypeError(`${name} takes a Pool or a Client of pg (not of pg.native)`);
  }
  if (client.pipeline === true) {
    throw new TypeError(
      `${name} cannot take a Client in pipeline mode: a cancel request may hit any query in the pipeline; make the Client without \`pipeline\``,
    );
  }
}
