/**
 * Whoever imports eightysix/http has Node tell it of every request. A bare handler must not pay for
 * that: here the subscription is caught, to be switched on and off with the handlers.
 */
import diagnostics from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";

type Subscription = Parameters<typeof diagnostics.subscribe>;

const caught: Subscription[] = [];
let listening = true;

/** Imports something, and catches what it subscribes to. */
export async function catching<T>(load: () => Promise<T>): Promise<T> {
  const { subscribe } = diagnostics;
  diagnostics.subscribe = (...subscription) => {
    caught.push(subscription);
    subscribe(...subscription);
  };
  syncBuiltinESMExports();
  try {
    const module = await load();
    if (caught.length === 0) throw new Error("eightysix/http no longer subscribes: drop this file");
    return module;
  } finally {
    diagnostics.subscribe = subscribe;
    syncBuiltinESMExports();
  }
}

export function listen(on: boolean): void {
  if (on === listening) return;
  listening = on;
  for (const subscription of caught) {
    if (on) diagnostics.subscribe(...subscription);
    else diagnostics.unsubscribe(...subscription);
  }
}
