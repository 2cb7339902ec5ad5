import { createClient } from "redis";
import { startRedis } from "../../../servers/redis.ts";
import { ANSWER, type Lease, type Service } from "./service.ts";

export const redis: Service = {
  name: "Redis",
  variable: "EIGHTYSIX_TEST_REDIS_URL",
  standard: "redis://127.0.0.1:6379",
  // There is nothing to create: the keys of a test have a prefix of their own (../redis.ts).
  async use(url): Promise<Lease> {
    const client = createClient({
      url,
      socket: { connectTimeout: ANSWER, socketTimeout: ANSWER, reconnectStrategy: false },
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.ping();
    } finally {
      if (client.isOpen) client.destroy();
    }
    return { url, end: () => Promise.resolve() };
  },
  async start() {
    const server = await startRedis();
    return { url: server.url, end: () => server.stop() };
  },
};
