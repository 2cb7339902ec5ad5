/** The exports of a framework's file: several ways to write the same handler. */
import type { IncomingMessage, ServerResponse } from "node:http";

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** One way to write the same handler. */
export interface Way {
  name: string;
  serve: Listener;
  /** The handler to compare with, if that is not the bare one. */
  beside?: Listener;
  /** Whether it uses eightysix/http. */
  ours?: true;
  /** The promise: this share of the requests that the handler beside it serves. */
  atLeast?: number;
  /** The promise: no fewer requests than this other way. */
  notBelow?: string;
}

/** A framework's bare handler, and the variants to compare with it. */
export interface Ways {
  bare: Listener;
  ways: Way[];
}

/** The server's time limit in milliseconds, in all ways that have one. */
export const TIMEOUT = 5_000;
export const BODY = "hello, world\n";

/** The promised share if `.signal` is not read. */
export const UNREAD = 0.97;
/** The promised share if `.signal` is read. */
export const READ = 0.95;

/** Uses a value as a handler would, so that the compiler cannot remove the code that made it. */
export function keep(given: unknown): void {
  kept = given;
}
export let kept: unknown;
