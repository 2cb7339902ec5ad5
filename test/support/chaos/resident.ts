/** A client that asks again and again on one connection, which must gather nothing. */
import type { Socket } from "node:net";
import type { RequestPlan, VisitPlan } from "./plan.ts";
import type { Asker, Visited } from "./stage.ts";

export class Resident {
  readonly #client: Asker;
  readonly #sockets: ReadonlySet<Socket>;
  /** The server's end, and how many listeners that had after the first answer. */
  #socket: Socket | undefined;
  #before = 0;

  /** To be made before there are other clients; `sockets` are the server's. */
  constructor(client: Asker, sockets: ReadonlySet<Socket>) {
    this.#client = client;
    this.#sockets = sockets;
  }

  /** One request, for `ask`. */
  plan(id: number): VisitPlan {
    const request: RequestPlan = {
      ...{ id, deed: "answers later" as const, reads: false, watched: "by callback" as const },
      ...{ step: 10, head: "whole" as const, body: undefined, after: 0 },
    };
    return { requests: [request], pipelined: false, deaf: false, leaves: "stays", moment: 0 };
  }

  async ask(plan: VisitPlan): Promise<Visited> {
    const status = await this.#client.ask(`/?${plan.requests[0]?.id}`);
    if (this.#socket === undefined) {
      [this.#socket] = this.#sockets;
      this.#before = this.#listeners;
    }
    const at = performance.now();
    return { plan, answers: [{ status, at }], left: { how: "stays", at }, sent: 1 };
  }

  /** How many listeners its connection has more than after the first answer. */
  get gathered(): number {
    return this.#listeners - this.#before;
  }

  get #listeners(): number {
    const socket = this.#socket;
    if (socket === undefined) return 0;
    return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
  }
}
