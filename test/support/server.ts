/** How a test finds the servers of its run. services/index.ts lists them. */
import { describe, inject, test } from "vitest";
import type * as services from "./services/index.ts";
import type { Service } from "./services/service.ts";

/** The key of a server in services/index.ts. */
export type ServerName = keyof typeof services;

/** A server that all tests of a run share, so that it has a URL. */
export type SharedServerName = {
  [Name in ServerName]: (typeof services)[Name] extends Service ? Name : never;
}[ServerName];

// Both are `undefined` in a run without servers, such as `npm run test:unit`.
declare module "vitest" {
  interface ProvidedContext {
    /** The URLs of the shared servers that there are. */
    serverUrls: Partial<Record<ServerName, string>> | undefined;
    /** For each server that is missing: which, and what to do. */
    missingServers: Partial<Record<ServerName, string>> | undefined;
  }
}

/** Returns whether the run has this server or, if tests start their own, whether they can. */
export function hasServer(name: ServerName): boolean {
  const missing = inject("missingServers");
  return missing !== undefined && missing[name] === undefined;
}

/** Returns the URL of the run's server. Other tests use the server, too. Throws if it is missing. */
export function serverUrl(name: SharedServerName): string {
  const url = inject("serverUrls")?.[name];
  if (url === undefined) {
    throw new Error(`there is no ${name}; write testWith("${name}") or describeWith("${name}")`);
  }
  return url;
}

/** Returns `test` for tests that need this server. They are skipped if it is missing. */
export function testWith(name: ServerName) {
  return test.skipIf(!hasServer(name));
}

/** Returns `describe` for tests that need this server. They are skipped if it is missing. */
export function describeWith(name: ServerName) {
  return describe.skipIf(!hasServer(name));
}
