/**
 * A program that imports eightysix/http makes Node publish every request on a diagnostics channel.
 * A bare handler must not pay for that. The subscription is therefore moved to another channel, on
 * which the server publishes as Node would. To subscribe and unsubscribe with every slice would be
 * no solution: V8 would compile Node's own request path again each time, and every variant would
 * pay for that.
 */
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { syncBuiltinESMExports } from "node:module";

const START = "http.server.request.start";
const instead = diagnostics.channel(`bench.${START}`);

/** Imports a module, and redirects its subscription. */
export async function catching<T>(load: () => Promise<T>): Promise<T> {
  const { subscribe } = diagnostics;
  diagnostics.subscribe = (name, onMessage) => {
    subscribe(name === START ? instead.name : name, onMessage);
  };
  syncBuiltinESMExports();
  try {
    const module = await load();
    if (!instead.hasSubscribers)
      throw new Error(
        "eightysix/http no longer subscribes to requests; delete bench/http/subscription.ts",
      );
    return module;
  } finally {
    diagnostics.subscribe = subscribe;
    syncBuiltinESMExports();
  }
}

/** Publishes a request, as Node does when one arrives. */
export function tell(request: IncomingMessage, response: ServerResponse, server: Server): void {
  instead.publish({ request, response, socket: request.socket, server });
}
