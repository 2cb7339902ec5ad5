/** The servers that a program needs, by what it imports. */
import type { Server } from "../../../servers/server.ts";
import type { Program, Service } from "./service.ts";

/**
 * Returns the services whose drivers `code` imports. An adapter has the name of its driver, so
 * "eightysix/pg" counts as "pg".
 */
export function servicesOf(
  code: string,
  services: Readonly<Record<string, Service | Program>>,
): Service[] {
  const imported = [...code.matchAll(/\bfrom "(?:eightysix\/)?((?:@[^/"]+\/)?[^/"]+)[^"]*"/g)];
  const packages = imported.map(([, name = ""]) => name);
  return Object.values(services).filter(
    (service): service is Service =>
      "use" in service &&
      service.drivers.some((driver) =>
        packages.some((name) => name === driver || name.startsWith(`${driver}/`)),
      ),
  );
}

/** Servers of the caller's own, at most one for each service. */
export interface OwnServers {
  /**
   * Starts those of these services that do not run yet. Resolves with the variables by which a
   * program finds them. Rejects if one cannot be started.
   */
  environment(needed: readonly Service[]): Promise<Record<string, string>>;
  /** Stops all. */
  stop(): Promise<void>;
}

export function ownServers(): OwnServers {
  const started = new Map<Service, Promise<Server>>();
  return {
    async environment(needed) {
      const all: Record<string, string> = {};
      for (const service of needed) {
        const starting = started.get(service) ?? service.start();
        started.set(service, starting);
        Object.assign(all, service.environment((await starting).url));
      }
      return all;
    },
    async stop() {
      for (const server of await Promise.allSettled(started.values()))
        if (server.status === "fulfilled") await server.value.stop();
    },
  };
}
