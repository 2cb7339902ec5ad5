/** Where a test run gets a shared server from. */

/** The run's place in a server, such as a database of its own. */
export interface Lease {
  readonly url: string;
  /** Removes everything that was created for the run. Called at most once. */
  end(): Promise<unknown>;
}

export interface Service {
  /** The name for messages. */
  readonly name: string;
  /** The variable that holds the URL of a server to use. */
  readonly variable: string;
  /** The URL of a server that the machine may run. */
  readonly standard: string;
  /**
   * Creates a place for the run in the server at `url`. Rejects within seconds if no server answers, or
   * if it refuses.
   */
  use(url: string): Promise<Lease>;
  /** Starts a server for this run. Rejects with a message that says what to do if it cannot. */
  start(): Promise<Lease>;
}

/** A value of the variable: start a server, even if one listens on the standard port. */
const OWN = "own";

/**
 * Resolves with a place in the server that the environment names. Without one, in the server on the
 * standard port of this machine if it answers. Otherwise, in a server that this run starts.
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

/** Returns the message of an error. The error of a connection can hold those of several attempts. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join("; ");
  return error instanceof Error ? error.message || error.name : String(error);
}

/** Returns a database name that no other run on this machine uses. */
export function databaseName(): string {
  return `eightysix_test_${process.pid}`;
}

/** How long a server may take to answer, in milliseconds. */
export const ANSWER = 3_000;
