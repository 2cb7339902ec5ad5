/**
 * Whoever imports eightysix/http has Node tell it of every request, on a diagnostics channel. A
 * bare handler must not pay for that, so the subscription is moved to a channel of our own, and the
 * server tells it as Node would. (Subscribing and unsubscribing with every slice would have V8
 * compile Node's own request path anew each time, at everybody's expense.)
 */
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { syncBuiltinESMExports } from "node:module";

const START = "http.server.request.start";
const instead = diagnostics.channel(`bench.${START}`);

/** Imports something, and catches what it subscribes to. */
export async function catching<T>(load: () => Promise<T>): Promise<T> {
  const { subscribe } = diagnostics;
  diagnostics.subscribe = (name, onMessage) => {
    subscribe(name === START ? instead.name : name, onMessage);
  };
  syncBuiltinESMExports();
  try {
    const module = await load();
    if (!instead.hasSubscribers) throw new Error("eightysix/http no longer subscribes: drop this");
    return module;
  } finally {
    diagnostics.subscribe = subscribe;
    syncBuiltinESMExports();
  }
}

/** What Node does when a request has come. */
export function tell(request: IncomingMessage, response: ServerResponse, server: Server): void {
  instead.publish({ request, response, socket: request.socket, server });
}
