import { withContext } from "eightysix/redis";
import { createClient } from "redis";
import { armsOf } from "../arms.ts";
import { WORK, type Driver } from "../driver.ts";
import { observe } from "../redis.ts";
import { onDemand, promiseRace, withOurs } from "../ways.ts";

// A function, because its return type is the type of a client without modules.
const newClient = (url: string, name: string) => createClient({ url, name });
type Client = ReturnType<typeof newClient>;

export const redis: Driver = {
  name: "redis",
  package: "redis",
  async open(servers) {
    const url = await servers.redis();
    const observer = await observe(url);
    const { name } = observer;
    const opened: Client[] = [];
    const connect = async (): Promise<Client> => {
      const client = newClient(url, name);
      client.on("error", () => undefined);
      opened.push(client);
      return client.connect();
    };
    const client = await connect();
    const db = withContext(client);
    const clients = await Promise.all([connect(), connect(), connect(), connect()]);
    const another = (): Client => clients.pop() ?? client;
    return {
      server: observer.server,
      bare: observer.bare,
      works: [
        {
          name: "BLPOP",
          running: observer.blocked,
          race: promiseRace(() => client.blPop(name, WORK / 1_000)),
          own: onDemand("withAbortSignal", () => {
            const controller = new AbortController();
            return {
              answer: client.withAbortSignal(controller.signal).blPop(name, WORK / 1_000),
              abort: () => controller.abort(),
            };
          }),
          ours: withOurs((ctx) => db.blPop(ctx, name, WORK / 1_000)),
        },
      ],
      costs: {
        what: "GET",
        arms: armsOf({
          name: "client.get",
          bare() {
            const own = another();
            return () => own.get(name);
          },
          ours() {
            const own = withContext(another());
            return (ctx) => own.get(ctx, name);
          },
          is: (answer) => answer === null,
        }),
      },
      async close() {
        for (const one of opened) one.destroy();
        await observer.close();
      },
    };
  },
};
