/** What public poolers do with cancel requests. */
import type { ClientConnection } from "./client-connection.ts";
import type { ServerConnection } from "./server-connection.ts";

/** When a cancel request has arrived, and again when it is forwarded. */
export interface CancelRouting {
  /** The client whose key the request carries, if the keys tell clients apart. */
  readonly client: ClientConnection | undefined;
  /** The servers that work for a client now. */
  readonly busy: () => readonly ServerConnection[];
  /** A random number from 0 to 1, the same in each run. */
  readonly draw: () => number;
}

export interface Behavior {
  /** When a client gives its server connection back. */
  readonly pooling: "session" | "transaction";
  /** What clients are told: a key of their own, pid 0 and secret 0, or nothing. */
  readonly key: "own" | "zero" | "none";
  /**
   * Called when a cancel request arrives. Returns the function that finds the server when the request
   * is forwarded.
   */
  readonly route: (routing: CancelRouting) => () => ServerConnection | undefined;
}

type Route = Behavior["route"];

/** The server that works for the client when the request is forwarded. */
const current: Route =
  ({ client }) =>
  () =>
    client?.server;

/** The server that worked for the client when the request arrived. */
const snapshot: Route = ({ client }) => {
  const server = client?.server;
  return () => server;
};

/** A server that works for another client. */
const other: Route =
  ({ client, busy, draw }) =>
  () =>
    pick(
      busy().filter((server) => server !== client?.server),
      draw,
    );

/** Any server that works for a client. */
const any: Route =
  ({ busy, draw }) =>
  () =>
    pick(busy(), draw);

function pick<T>(all: readonly T[], draw: () => number): T | undefined {
  return all[Math.floor(draw() * all.length)];
}

/** Each closes the connection of a cancel request at once, and forwards the request later. */
export const behaviors = {
  // https://github.com/supabase/supavisor/issues/1148
  "session mode": { pooling: "session", key: "own", route: current },
  "transaction mode": { pooling: "transaction", key: "own", route: current },
  // https://github.com/pgdogdev/pgdog/issues/1505
  "transaction mode, server chosen early": { pooling: "transaction", key: "own", route: snapshot },
  "transaction mode, another server": { pooling: "transaction", key: "own", route: other },
  // A key of zeros names no client. https://github.com/gravitational/teleport/pull/68711
  "keys of zeros": { pooling: "session", key: "zero", route: any },
  // RDS Proxy sends none. https://github.com/pgdogdev/pgdog/pull/918
  "no keys": { pooling: "session", key: "none", route: any },
} satisfies Record<string, Behavior>;

export type BehaviorName = keyof typeof behaviors;
