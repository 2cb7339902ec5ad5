/** Where a test run gets its servers from. */
import type { Server, ServerOptions } from "../../../servers/server.ts";

/** The run's place in a server, such as a database of its own. */
export interface Lease {
  readonly url: string;
  /** Removes everything that was created for the run. Called at most once. */
  end(): Promise<unknown>;
}

/** A server of which each test starts its own. A run only finds out whether it is installed. */
export interface Program {
  /** The name for messages. */
  readonly name: string;
  /**
   * Returns why the server cannot be started on this machine and what to do, or `undefined` if it can.
   * Absent if it comes with the packages.
   */
  readonly missing?: () => string | undefined;
}

/** A server that all tests of a run share. */
export interface Service extends Program {
  /** Whether a run without this server fails. Without the others, their tests are skipped. */
  readonly isRequired?: boolean;
  /** Whether a run goes on without this server even if the variable CI is set. */
  readonly isOptional?: boolean;
  /** The variable that holds the URL of a server to use. */
  readonly variable: string;
  /** The URL of a server that the machine may run. */
  readonly standard: string;
  /** The packages, or the scopes of packages, that talk to this server. */
  readonly drivers: readonly string[];
  /** Returns the variables by which a program finds the server at `url`. */
  readonly environment: (url: string) => Record<string, string>;
  /**
   * Creates a place for the run in the server at `url`. Rejects within seconds if no server answers, or
   * if it refuses.
   */
  readonly use: (url: string) => Promise<Lease>;
  /** Starts a server of the caller's own. Rejects with a message that says what to do if it cannot. */
  readonly start: (options?: ServerOptions) => Promise<Server>;
}

/** A value of the variable: start a server, even if one listens on the standard port. */
const OWN = "own";

/**
 * Resolves with a place in the server that the environment names. Without one, in the server on the
 * standard port of this machine if it answers. Otherwise, in a server that this run starts.
 */
export async function lease(service: Service, env = process.env): Promise<Lease> {
  const { name, variable, standard } = service;
  const start = async (): Promise<Lease> => {
    const server = await service.start();
    return { url: server.url, end: () => server.stop() };
  };
  const named = env[variable];
  if (named === OWN) return start();
  if (named) {
    return service.use(named).catch((error: unknown) => {
      throw new Error(`${name} at ${variable} can't be used: ${reason(error)}`, { cause: error });
    });
  }
  return service.use(standard).catch(start);
}

/** The servers of a run. */
export interface Leases {
  /** The URL of each shared server that there is. */
  readonly urls: Record<string, string>;
  /** For each server that is missing: which, and what to do. */
  readonly missing: Record<string, string>;
  /** Gives everything back. Called at most once. */
  readonly end: () => Promise<void>;
}

/**
 * Leases all shared servers, under the keys that they have in `services`, and looks for the others.
 * Rejects with an Error that says what is missing and what to do if that is a required server or, while
 * the variable CI is set, any server that is not optional. Then nothing is left behind.
 */
export async function leaseAll(
  services: Readonly<Record<string, Service | Program>>,
  env = process.env,
): Promise<Leases> {
  const urls: Record<string, string> = {};
  const missing: Record<string, string> = {};
  const leases: Lease[] = [];
  let mustFail = false;
  const take = async ([key, service]: [string, Service | Program]): Promise<void> => {
    try {
      if (!("use" in service)) {
        const why = service.missing?.();
        if (why !== undefined) throw new Error(why);
        return;
      }
      const held = await lease(service, env);
      leases.push(held);
      urls[key] = held.url;
    } catch (error) {
      missing[key] = `${service.name}: ${reason(error)}`;
      const { isRequired, isOptional }: Partial<Service> = service;
      if (isRequired || (env["CI"] && !isOptional)) mustFail = true;
    }
  };
  const end = async (): Promise<void> => {
    for (const held of leases) await held.end();
  };
  await Promise.all(Object.entries(services).map(take));
  if (mustFail) {
    await end();
    const texts = Object.values(missing).join("\n");
    throw new Error(`The tests need servers that are missing.\n${texts}`);
  }
  return { urls, missing, end };
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
