import { withContext } from "eightysix/ioredis";
import { Redis } from "ioredis";
import { armsOf } from "../arms.ts";
import { WORK, type Driver } from "../driver.ts";
import { observe } from "../redis.ts";
import { promiseRace, timeLimit, withOurs } from "../ways.ts";

export const ioredis: Driver = {
  name: "ioredis",
  package: "ioredis",
  async open(servers) {
    const url = await servers.redis();
    const observer = await observe(url);
    const { name } = observer;
    const opened: Redis[] = [];
    const connect = (commandTimeout?: number): Redis => {
      const client = new Redis(url, {
        connectionName: name,
        ...(commandTimeout === undefined ? {} : { commandTimeout }),
      });
      client.on("error", () => undefined);
      opened.push(client);
      return client;
    };
    const client = connect();
    const db = withContext(client);
    // The time limit is an option of the client, so it needs a client of its own.
    let limited: Redis | undefined;
    await client.ping();
    return {
      server: observer.server,
      bare: observer.bare,
      works: [
        {
          name: "BLPOP",
          running: observer.blocked,
          race: promiseRace(() => client.blpop(name, WORK / 1_000)),
          own: timeLimit("commandTimeout", (ms) =>
            (limited ??= connect(ms)).blpop(name, WORK / 1_000),
          ),
          ours: withOurs((ctx) => db.blpop(ctx, name, WORK / 1_000)),
        },
      ],
      costs: {
        what: "GET",
        arms: armsOf({
          name: "client.get",
          bare() {
            const own = connect();
            return () => own.get(name);
          },
          ours() {
            const own = withContext(connect());
            return (ctx) => own.get(ctx, name);
          },
          is: (answer) => answer === null,
        }),
      },
      async close() {
        for (const one of opened) one.disconnect();
        await observer.close();
      },
    };
  },
};
