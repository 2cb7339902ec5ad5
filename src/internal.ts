/**
 * What the integrations may take from the core beyond the public root. Not an entry point of the
 * package: only files in src import it.
 */
export { checkContext, checkDuration, checkFunction, checkOptions } from "./core/check.ts";
export { now } from "./core/clock.ts";
export { DoneListener } from "./core/done-listener.ts";
export { LONGEST_CHAIN } from "./core/errors.ts";
export { classOf, show } from "./core/show.ts";
