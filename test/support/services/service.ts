/** Where a run gets one of its shared servers from: the rule, in one place. */

/** What a run works in. */
export interface Lease {
  readonly url: string;
  /** Removes what was made for the run. Never called twice. */
  end(): Promise<unknown>;
}

export interface Service {
  /** As in messages. */
  readonly name: string;
  /** The variable that holds the url of a server to use. */
  readonly variable: string;
  /** Where it listens on a machine that has one. */
  readonly standard: string;
  /**
   * Makes a place of the run's own in the server at `url`. Rejects, within seconds, where nobody
   * answers or lets us.
   */
  use(url: string): Promise<Lease>;
  /** Starts one that is the run's alone. Rejects with what to do where that is not possible. */
  start(): Promise<Lease>;
}

/** In place of a url: start one, even where a server listens on the standard port. */
const OWN = "own";

/**
 * The server that the environment names; else the one on the standard port of this machine if it
 * answers; else one that the run starts itself.
 */
export async function lease(service: Service, env = process.env): Promise<Lease> {
  const { name, variable, standard } = service;
  const named = env[variable];
  if (named === OWN) return service.start();
  if (named) {
    return service.use(named).catch((error: unknown) => {
      throw new Error(`${name} at ${variable} can't be used: ${reason(error)}`, { cause: error });
    });
  }
  return service.use(standard).catch(() => service.start());
}

/** A failed connection's error can be one of several attempts, without a message of its own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message || error.name : String(error);
}

/** A database name that no other run on this machine has now. */
export function databaseName(): string {
  return `eightysix_test_${process.pid}`;
}

/** How long a server that was found may take to answer, in ms. */
export const ANSWER = 3_000;
