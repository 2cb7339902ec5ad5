/** What belongs to a pool or a connection of the driver, and not to one wrapper of it. */
import { Semaphore } from "../../index.ts";
import { KillConnections } from "./kill.ts";

const killConnections = new WeakMap<object, KillConnections>();
const turns = new WeakMap<object, Semaphore>();

/** Returns the kill connections of a pool or a connection. All its wrappers share them. */
export function killConnectionsOf(owner: object): KillConnections {
  return getOrCreate(killConnections, owner, () => new KillConnections());
}

/** Returns the turns of a connection, on which statements run one at a time. */
export function turnsOf(owner: object): Semaphore {
  return getOrCreate(turns, owner, () => new Semaphore(1));
}

function getOrCreate<T>(map: WeakMap<object, T>, key: object, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}
