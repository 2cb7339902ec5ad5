/** eightysix/redis and the stopping protocol, with commands that block. */
import { createClient } from "redis";
import type { Context } from "../index.ts";
import { holdAdapter } from "../../test/support/conformance.ts";
import { describeOwnRedis } from "../../test/support/own-redis.ts";
import { NO_LIST, onRedis, secondsOf } from "../../test/support/redis-conformance.ts";
import { withContext, type ContextClient } from "./index.ts";

const clientAt = (url: string) => createClient({ url, socket: { reconnectStrategy: 20 } });
type Db = ContextClient<ReturnType<typeof clientAt>>;

/** Waits for an element of a list. Resolves with it, or with `i` when the time has passed. */
async function pop(db: Db, ctx: Context, key: string, ms: number, i: number): Promise<number> {
  const answer = await db.blPop(ctx, key, secondsOf(ms));
  return answer === null ? i : Number(answer.element);
}

describeOwnRedis("on Redis", () => {
  const { shared, urlAt, warmUp } = onRedis();
  holdAdapter<Db>(describeOwnRedis, {
    ...shared,
    name: "eightysix/redis",
    async open({ host, port, connections, stopTimeout }) {
      const client = clientAt(urlAt({ host, port }));
      client.on("error", () => undefined); // the tests break connections
      await client.connect();
      const db = withContext(client, { stopTimeout, maxBlocking: connections });
      await warmUp((ctx) => db.blPop(ctx, "nothing", 0));
      return {
        db,
        close: async () => client.destroy(),
      };
    },
    run: (db, ctx, { i, ms, tag }) => pop(db, ctx, tag, ms, i),
    async quick(db, ctx, i) {
      const key = `quick:${i}`;
      await db.rPush(ctx, key, String(i));
      return await pop(db, ctx, key, 60_000, -1);
    },
    fail: (db, ctx) => db.blPop(ctx, NO_LIST, 0),
    forms: {
      async "a command of sendCommand"(db, ctx, { i, ms, tag }) {
        const args = ["BRPOP", tag, String(secondsOf(ms))];
        const answer = await db.sendCommand<[string, string] | null>(ctx, args);
        return answer === null ? i : Number(answer[1]);
      },
    },
  });
});
