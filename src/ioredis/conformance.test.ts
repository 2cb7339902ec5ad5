/** eightysix/ioredis and the stopping protocol, with commands that block. */
import { Redis } from "ioredis";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { describeOwnRedis } from "../../test/support/own-redis.ts";
import { NO_LIST, onRedis, secondsOf } from "../../test/support/redis-conformance.ts";
import { withContext, type ContextClient } from "./index.ts";

type Db = ContextClient<Redis>;

/** Waits for an element of a list. Resolves with it, or with `i` when the time has passed. */
async function pop(db: Db, ctx: Context, key: string, ms: number, i: number): Promise<number> {
  const answer = await db.blpop(ctx, key, secondsOf(ms));
  return answer === null ? i : Number(answer[1]);
}

describeOwnRedis("on Redis", () => {
  const { shared, urlAt, warmUp } = onRedis();
  holdAdapter<Db>(describeOwnRedis, {
    ...shared,
    name: "eightysix/ioredis",
    async open({ host, port, connections, stopTimeout }) {
      const client = new Redis(urlAt({ host, port }), {
        retryStrategy: () => 20,
        maxRetriesPerRequest: null,
        lazyConnect: true,
      });
      client.on("error", () => undefined); // the tests break connections
      await client.connect();
      const db = withContext(client, { stopTimeout, maxBlocking: connections });
      await warmUp((ctx) => db.blpop(ctx, "nothing", 0));
      return {
        db,
        close: async () => client.disconnect(),
      };
    },
    run: (db, ctx, { i, ms, tag }) => pop(db, ctx, tag, ms, i),
    async quick(db, ctx, i) {
      const key = `quick:${i}`;
      await db.rpush(ctx, key, i);
      return await pop(db, ctx, key, 60_000, -1);
    },
    fail: (db, ctx) => db.blpop(ctx, NO_LIST, 0),
    forms: {
      async "a command of call"(db, ctx, { i, ms, tag }) {
        const answer = await db.call(ctx, "BRPOP", tag, secondsOf(ms));
        return answer === null ? i : Number((answer as [string, string])[1]);
      },
    },
  });
});
