import { installed, lines, missing, type Programs } from "./installed.ts";
import { startServer, type Server, type ServerOptions } from "./server.ts";

/**
 * A running NATS with JetStream and without streams. It asks for no password, because the clients of
 * NATS do not read one from a URL. Like every server here, it listens on 127.0.0.1 only.
 */
export type NatsServer = Server;

export interface NatsOptions extends ServerOptions {
  /** Parameters of nats.conf. They replace or extend the defaults below. */
  settings?: Readonly<Record<string, string | number>>;
}

const programs: Programs = {
  server: "NATS",
  variable: "EIGHTYSIX_TEST_NATS",
  debian: "nats-server",
  otherwise: "Tests take a running one too: EIGHTYSIX_TEST_NATS_URL.",
};

/** Returns why NATS cannot be started on this machine and what to do, or `undefined` if it can. */
export function natsMissing(): string | undefined {
  return missing(programs, "nats-server");
}

const script = `
printf '%s\\n' "$config" >"$dir/nats.conf"
unset config
cd "$dir" && exec "$1" --config "$dir/nats.conf"
`;

/** Starts the machine's `nats-server`. See `startServer`. */
export function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  return startServer(
    {
      name: "NATS",
      user: "nats",
      elsewhere: "Set EIGHTYSIX_TEST_NATS_URL to the URL of a running one.",
      script,
      prepare({ directory, port }) {
        const listen = `127.0.0.1:${port}`;
        const jetstream = `{ store_dir: "${directory}/jetstream" }`;
        return {
          args: [installed(programs, "nats-server")],
          config: lines({ listen, jetstream, ...options.settings }, " ").join("\n"),
          url: `nats://${listen}`,
        };
      },
      ready: "Server is ready",
    },
    options,
  );
}
