import { createClient } from "redis";
import { redisMissing, startRedis } from "../../../servers/redis.ts";
import { ANSWER, type Lease, type Service } from "./service.ts";

export const redis: Service = {
  name: "Redis",
  missing: redisMissing,
  variable: "EIGHTYSIX_TEST_REDIS_URL",
  standard: "redis://127.0.0.1:6379",
  drivers: ["redis", "ioredis"],
  environment: (url) => ({ REDIS_URL: url }),
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
  start: startRedis,
};
