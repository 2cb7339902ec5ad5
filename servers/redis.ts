import { randomBytes } from "node:crypto";
import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running Redis without keys. */
export type RedisServer = Server;

export interface RedisOptions extends ServerOptions {
  /** Parameters of redis.conf. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "Redis",
  variable: "EIGHTYSIX_TEST_REDIS",
  debian: "redis-server",
  otherwise: "Tests take a running one too: EIGHTYSIX_TEST_REDIS_URL.",
};

/** Returns why Redis cannot be started on this machine and what to do, or `undefined` if it can. */
export function redisMissing(): string | undefined {
  return missing(programs, "redis-server", "valkey-server");
}

const script = `
printf '%s\\n' "$config" >"$dir/redis.conf"
unset config
cd "$dir" && exec "$1" "$dir/redis.conf"
`;

// No data has to survive.
const defaults = { bind: "127.0.0.1", daemonize: "no", save: '""', appendonly: "no" };

/** Starts the machine's `redis-server`. See `startServer`. */
export function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  return startServer(
    {
      name: "Redis",
      user: "redis",
      elsewhere: "Set EIGHTYSIX_TEST_REDIS_URL to the URL of a running one.",
      script,
      prepare({ port }) {
        const password = randomBytes(12).toString("hex");
        const settings = { ...defaults, port, requirepass: password, ...options.settings };
        return {
          args: [installed(programs, "redis-server", "valkey-server")],
          config: lines(settings, " ").join("\n"),
          url: `redis://:${password}@127.0.0.1:${port}`,
        };
      },
      ready: "Ready to accept connections",
    },
    options,
  );
}
