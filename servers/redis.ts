import { randomBytes } from "node:crypto";
import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/** A running Redis without any keys. */
export type RedisServer = Server;

export interface RedisOptions extends ServerOptions {
  /** Parameters of redis.conf that replace or extend our own. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "Redis",
  variable: "EIGHTYSIX_TEST_REDIS",
  debian: "redis-server",
  otherwise: "Tests take a running one too: EIGHTYSIX_TEST_REDIS_URL.",
};

/** Why it can't be started on this machine, and what to do; undefined if it can. */
export function redisMissing(): string | undefined {
  return missing(programs, "redis-server", "valkey-server");
}

const script = `
printf '%s\\n' "$config" >"$dir/redis.conf"
unset config
cd "$dir" && exec "$1" "$dir/redis.conf"
`;

// Nothing has to survive.
const defaults = { bind: "127.0.0.1", daemonize: "no", save: '""', appendonly: "no" };

/** Starts the machine's own `redis-server`; see `startServer`. */
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
