/** The exports of eightysix that the rules know by name. A test compares this table with the real exports. */

/** Every name that the rules look for, by entry point. */
export const API = {
  eightysix: [
    "afterFunc",
    "all",
    "allSettled",
    "any",
    "background",
    "cause",
    "checkpoint",
    "detach",
    "group",
    "hedge",
    "interval",
    "isCanceled",
    "isContextError",
    "isDeadlineExceeded",
    "key",
    "map",
    "merge",
    "orDone",
    "race",
    "remaining",
    "shield",
    "sleep",
    "stopped",
    "throwIfDone",
    "todo",
    "withCancel",
    "withDeadline",
    "within",
    "withLedger",
    "withoutCancel",
    "withSignal",
    "withTimeout",
    "withValue",
  ],
  "eightysix/http": ["handler", "notifyContext", "requestContext"],
  "eightysix/web": ["handler"],
  "eightysix/express": ["route"],
  "eightysix/current": ["currentContext", "runWithContext", "runWithoutContext"],
} as const;

/** An entry point of the package that has a name in the table. */
export type ApiModule = keyof typeof API;
/** A name of the table. */
export type ApiName = (typeof API)[ApiModule][number];

/** Functions that return a context which the caller must end. */
export const CANCELABLE: ReadonlySet<string> = new Set<ApiName>([
  "merge",
  "notifyContext",
  "withCancel",
  "withDeadline",
  "withSignal",
  "withTimeout",
]);

/** Functions that return a context which the caller need not end. */
export const PLAIN: ReadonlySet<string> = new Set<ApiName>([
  "background",
  "requestContext",
  "todo",
  "withLedger",
  "withoutCancel",
  "withValue",
]);

/** Functions that return a context without a parent. */
export const ROOTS: ReadonlySet<string> = new Set<ApiName>(["background", "todo"]);

/** Functions that pass a context to the function that they take, as its first parameter. */
export const GIVES_CONTEXT: ReadonlySet<string> = new Set<ApiName>([
  "all",
  "allSettled",
  "any",
  "detach",
  "handler",
  "hedge",
  "map",
  "race",
  "route",
  "shield",
  "within",
]);

/** Functions whose first parameter is a context that they need. */
export const CONTEXT_FIRST: ReadonlySet<string> = new Set<ApiName>([
  "afterFunc",
  "all",
  "allSettled",
  "any",
  "checkpoint",
  "detach",
  "group",
  "hedge",
  "interval",
  "map",
  "merge",
  "orDone",
  "race",
  "remaining",
  "shield",
  "sleep",
  "stopped",
  "throwIfDone",
  "withCancel",
  "withDeadline",
  "within",
  "withLedger",
  "withoutCancel",
  "withSignal",
  "withTimeout",
  "withValue",
]);
