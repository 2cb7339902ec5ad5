/**
 * Clients in a process of their own. Each asks for a report and waits for it, or leaves after a
 * while by closing its connection. traffic.ts starts this process, sends the plan, and receives one
 * message for each client that has finished.
 */
import { get } from "node:http";

/** One client. */
export interface Client {
  /** The number of its request. */
  readonly request: number;
  /** Milliseconds after the start of the run. */
  readonly arrives: number;
  /** How many milliseconds it waits. Without a number, it stays until it is answered. */
  readonly patience: number | undefined;
}

export interface Plan {
  readonly url: string;
  readonly clients: readonly Client[];
}

/** How it went for one client. Instants are milliseconds since the epoch. */
export interface Visit {
  readonly request: number;
  readonly arrived: number;
  readonly through: number;
  readonly answered: boolean;
}

const epoch = (): number => performance.timeOrigin + performance.now();

function visit(url: string, { request: number, patience }: Client): Promise<Visit> {
  return new Promise((resolve) => {
    const arrived = epoch();
    const through = (answered: boolean): void => {
      resolve({ request: number, arrived, through: epoch(), answered });
    };
    const request = get(`${url}?request=${number}`, { agent: false }, (response) => {
      response.resume();
      response.on("end", () => {
        clearTimeout(timer);
        through(response.statusCode === 200);
      });
    });
    request.on("error", () => {
      clearTimeout(timer);
      through(false);
    });
    const timer =
      patience === undefined
        ? undefined
        : setTimeout(() => {
            request.destroy();
          }, patience);
  });
}

process.once("message", ({ url, clients }: Plan) => {
  void Promise.all(
    clients.map(async (client) => {
      await new Promise((resolve) => setTimeout(resolve, client.arrives));
      process.send?.(await visit(url, client));
    }),
  ).then(() => {
    process.disconnect();
  });
});
