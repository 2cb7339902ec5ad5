/**
 * eightysix/wire: errors as plain data, for threads, queues and other machines.
 *
 * @packageDocumentation
 */
export { fromWire, toWire, type WireError } from "./error.ts";
