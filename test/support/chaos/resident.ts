/** A client that sends many requests on one connection, which must not collect listeners. */
import type { Socket } from "node:net";
import type { RequestPlan, VisitPlan } from "./plan.ts";
import type { StayingClient, Visited } from "./stage.ts";

export class Resident {
  readonly #client: StayingClient;
  readonly #sockets: ReadonlySet<Socket>;
  /** The server's socket, and the number of its listeners after the first response. */
  #socket: Socket | undefined;
  #before = 0;

  /** Create this before other clients connect. `sockets` are those of the server. */
  constructor(client: StayingClient, sockets: ReadonlySet<Socket>) {
    this.#client = client;
    this.#sockets = sockets;
  }

  /** Returns a plan of one request, for `ask`. */
  plan(id: number): VisitPlan {
    const request: RequestPlan = {
      ...{ id, behavior: "responds later" as const, reads: false, watched: "by callback" as const },
      ...{ step: 10, head: "whole" as const, body: undefined, after: 0 },
    };
    return {
      requests: [request],
      pipelined: false,
      isSlowReader: false,
      leaves: "stays",
      moment: 0,
    };
  }

  async ask(plan: VisitPlan): Promise<Visited> {
    const status = await this.#client.ask(`/?${plan.requests[0]?.id}`);
    if (this.#socket === undefined) {
      [this.#socket] = this.#sockets;
      this.#before = this.#listeners;
    }
    const at = performance.now();
    return { plan, responses: [{ status, at }], left: { how: "stays", at }, sent: 1 };
  }

  /** How many listeners were added to its connection since the first response. */
  get addedListeners(): number {
    return this.#listeners - this.#before;
  }

  get #listeners(): number {
    const socket = this.#socket;
    if (socket === undefined) return 0;
    return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
  }
}
