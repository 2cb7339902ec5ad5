/** The types of a run: what is tested, and what a client saw. */
import type { RequestListener } from "node:http";
import type { Socket } from "node:net";
import type { FrameworkUnderTest } from "../framework-suite.ts";
import type { Leave, VisitPlan } from "./plan.ts";

export interface Subject {
  readonly framework: FrameworkUnderTest;
  /**
   * How it detects a disconnect: by the connection of HTTP/1, by the stream of HTTP/2, or by the
   * platform's `request.signal`.
   */
  readonly detectsBy: "connection" | "stream" | "signal";
  serve(listener: RequestListener): Promise<Stage>;
  /** Returns what the user's own code of the application has seen that it should not see. */
  complaints?(): readonly string[];
}

/** A server. */
export interface Stage extends AsyncDisposable {
  /** Open connections, as the server sees them. */
  readonly sockets: ReadonlySet<Socket>;
  /** Carries out the plan. Fails if a response, or the end of the connection, takes too long. */
  visit(plan: VisitPlan): Promise<Visited>;
  /** Returns a client that stays connected. */
  connect(): Promise<StayingClient>;
}

export interface StayingClient {
  /** Sends a request, and returns the status of its response. */
  ask(path: string): Promise<number>;
}

/** What a client did, and what it received. */
export interface Visited {
  readonly plan: VisitPlan;
  /** The response to each request, if it arrived completely. */
  readonly responses: readonly (ReceivedResponse | undefined)[];
  /** Which side ended the connection, and when. `stays`: the client did, after all responses. */
  readonly left: { readonly how: Leave | "server"; readonly at: number };
  /** How many requests were sent completely. */
  readonly sent: number;
}

export interface ReceivedResponse {
  readonly status: number;
  /** When the last byte arrived. */
  readonly at: number;
}
