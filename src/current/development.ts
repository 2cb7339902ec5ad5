/**
 * In development mode: calls of `fetch`, and of drivers that publish on `node:diagnostics_channel`,
 * that take no context while there is a current one.
 */
import { isDevelopment, isOfPackage, reportWithoutContext } from "../internal.ts";

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

type Fetch = (input: unknown, init?: { signal?: unknown; dispatcher?: unknown } | null) => unknown;

/**
 * Replaces the global `fetch`, because no channel says whether a request has a signal. A program that
 * replaces `fetch`, too, keeps its own.
 */
function watchFetch(): void {
  const holder = globalThis as unknown as { fetch?: Fetch };
  const { fetch: original } = holder;
  const property = Object.getOwnPropertyDescriptor(globalThis, "fetch");
  if (typeof original !== "function" || property?.configurable !== true) return;
  const fetch: Fetch = function (this: unknown, ...args) {
    const [input, init] = args;
    // A Request always has a signal, which may be that of a context.
    const hasSignal = isObject(input) && "signal" in input;
    if (isDevelopment() && !hasSignal && init?.signal == null && init?.dispatcher == null) {
      const instead = 'use fetch(ctx, url) of "eightysix/fetch" or pass { signal: ctx.signal }';
      reportWithoutContext("fetch", instead, fetch);
    }
    return original.apply(this, args);
  };
  Object.defineProperty(fetch, "length", { value: original.length, configurable: true });
  Object.defineProperty(globalThis, "fetch", { ...property, value: fetch });
}

const isObject = (x: unknown): x is object => typeof x === "object" && x !== null;
