/** What a framework's file gives: ways to write the same handler. */
import type { IncomingMessage, ServerResponse } from "node:http";

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** One way to write the same handler. */
export interface Way {
  name: string;
  serve: Listener;
  /** What it is measured beside, where that is not the bare handler: one as slow as itself. */
  beside?: Listener;
  /** Whether it uses eightysix/http. */
  ours?: true;
  /** What is promised: requests served, as a share of what is served beside it … */
  atLeast?: number;
  /** … and no fewer than this other way. */
  notBelow?: string;
}

/** A framework's bare handler, and those with more. */
export interface Ways {
  bare: Listener;
  ways: Way[];
}

/** The server's own limit, in all ways that have one. */
export const TIMEOUT = 5_000;
export const BODY = "hello, world\n";

/** What is promised. */
export const UNREAD = 0.97;
export const READ = 0.95;

/** Keeps from the optimiser what a handler would pass on. */
export function keep(given: unknown): void {
  kept = given;
}
export let kept: unknown;
