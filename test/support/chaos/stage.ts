/** What goes through the chaos, and the words for what happened to it. */
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { FrameworkUnderTest } from "../framework-suite.ts";
import type { Leave, VisitPlan } from "./plan.ts";

export interface Subject {
  readonly framework: FrameworkUnderTest;
  /**
   * By what it knows that a client has gone: the connection of HTTP/1, the stream of HTTP/2, or the
   * platform's `request.signal`.
   */
  readonly hears: "connection" | "stream" | "signal";
  serve(listener: RequestListener): Promise<Stage>;
}

/** A server. */
export interface Stage extends AsyncDisposable {
  /** Open connections, as the server sees them. */
  readonly sockets: ReadonlySet<Socket>;
  /** Carries out the plan. Fails if the server owes an answer, or an end, for too long. */
  visit(plan: VisitPlan): Promise<Visited>;
  /** A client that stays. */
  connect(): Promise<Asker>;
}

export interface Asker {
  /** The status of the answer. */
  ask(path: string): Promise<number>;
}

/** What a client did, and what came of it. */
export interface Visited {
  readonly plan: VisitPlan;
  /** The answer to each request, if it came whole. */
  readonly answers: readonly (Answer | undefined)[];
  /** Who ended the connection, and when: `stays` if the client did, with all its answers. */
  readonly left: { readonly how: Leave | "server"; readonly at: number };
  /** How many requests were sent with nothing missing. */
  readonly sent: number;
}

export interface Answer {
  readonly status: number;
  /** When its last byte came. */
  readonly at: number;
}
