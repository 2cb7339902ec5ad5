/**
 * In development mode: calls of `fetch`, and of drivers that publish on `node:diagnostics_channel`,
 * that take no context while there is a current one.
 */
import { isDevelopment, isOfPackage, reportWithoutContext, type AnyFunction } from "../internal.ts";

// On the global object, so that two copies of the package do not report a call twice.
const WATCHING = Symbol.for("eightysix.development.1");
const shared = globalThis as { [WATCHING]?: true };

/**
 * Starts to watch the calls. The first call counts: once development mode is off, what this function
 * has installed passes everything on.
 */
export function watchCalls(): void {
  if (shared[WATCHING]) return;
  shared[WATCHING] = true;
  watchFetch();
  for (const driver of DRIVERS) watchDriver(driver);
}

interface Diagnostics {
  subscribe(channel: string, onMessage: (message: unknown) => void): void;
}

// Looked up, because a platform that has AsyncLocalStorage may not have this module.
const { process } = globalThis as {
  process?: { getBuiltinModule?: (id: string) => Diagnostics | undefined };
};
const diagnostics = process?.getBuiltinModule?.("node:diagnostics_channel");

interface Driver {
  readonly channels: readonly string[];
  /** The folders of its packages in `node_modules`. */
  readonly packages: readonly string[];
  readonly name: string;
  readonly instead: string;
}

/** The channels on which these drivers publish before they send a command, still inside the call. */
const DRIVERS: readonly Driver[] = [
  {
    channels: ["tracing:node-redis:command:start"],
    packages: ["redis/", "@redis/"],
    name: "redis",
    instead: 'use withContext(client) of "eightysix/redis"',
  },
  {
    channels: ["tracing:ioredis:command:start"],
    packages: ["ioredis/"],
    name: "ioredis",
    instead: 'use withContext(client) of "eightysix/ioredis"',
  },
  {
    channels: ["tracing:mysql2:query:start", "tracing:mysql2:execute:start"],
    packages: ["mysql2/"],
    name: "mysql2",
    instead: 'use withContext(driver) of "eightysix/mysql2"',
  },
];

/** Commands that concern the connection and not the request, which the adapters do not have. */
const OF_CONNECTION =
  /^(?:[ps]?(?:un)?subscribe|auth|hello|client|select|quit|monitor|readonly|readwrite)$/i;

function watchDriver({ channels, packages, name, instead }: Driver): void {
  const isOfDriver = (frame: string): boolean =>
    packages.some((folder) => isOfPackage(frame, folder));
  for (const channel of channels) {
    const [, , method = ""] = channel.split(":");
    const onStart = (message: unknown): void => {
      if (!isDevelopment()) return;
      const { command } = message as { command?: unknown };
      if (typeof command === "string" && OF_CONNECTION.test(command)) return;
      const what = typeof command === "string" ? command.toUpperCase() : method;
      reportWithoutContext(`${what} of ${name}`, instead, onStart, isOfDriver);
    };
    diagnostics?.subscribe(channel, onStart);
  }
}

interface FetchOptions {
  signal?: unknown;
  dispatcher?: unknown;
}

/**
 * Replaces the global `fetch`, because no channel says whether a request has a signal. A program that
 * replaces `fetch`, too, keeps its own. An accessor is left alone.
 */
function watchFetch(): void {
  const property = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  if (typeof property?.value !== "function" || !property.configurable) return;
  const original = property.value as AnyFunction;
  const apply = (_: unknown, self: unknown, args: never[]): unknown => {
    if (isDevelopment() && !isLimited(...args)) {
      const instead = 'use fetch(ctx, url) of "eightysix/fetch" or pass { signal: ctx.signal }';
      reportWithoutContext("fetch", instead, apply);
    }
    return Reflect.apply(original, self, args);
  };
  // A proxy, so that a mock still looks like one.
  Reflect.defineProperty(globalThis, "fetch", {
    ...property,
    value: new Proxy(original, { apply }),
  });
}

/** Returns whether a call of `fetch` has something that may stop it. */
function isLimited(input?: unknown, init?: FetchOptions | null): boolean {
  try {
    // A Request always has a signal, which may be that of a context.
    const hasSignal = typeof input === "object" && input !== null && "signal" in input;
    return hasSignal || init?.signal != null || init?.dispatcher != null;
  } catch {
    return true; // what the arguments throw is thrown again by `fetch` itself
  }
}
