/** Recognizes objects of other drivers, so that a message can name the entry point that takes them. */
import { show } from "../internal.ts";

interface Recognized {
  readonly what: string;
  /** The entry point that takes it. */
  readonly entry?: string;
  /** What to do, if no entry point takes it. */
  readonly instead?: string;
  /** The properties, own or inherited, by which it is recognized. */
  readonly has: readonly string[];
}

const MYSQL = "use the package mysql2, whose API is almost the same";
const ONE_SERVER = "pass a pool of one server";
const ONE_CLIENT = "pass a single client";

/** The first entry that fits counts. */
const known: readonly Recognized[] = [
  { what: "a pool of pg", entry: "pg", has: ["totalCount", "idleCount", "query"] },
  { what: "a client of pg", entry: "pg", has: ["escapeIdentifier", "getTypeParser"] },
  { what: "the sql of postgres.js", entry: "postgres", has: ["unsafe", "begin", "reserve"] },
  { what: "a pool of mysql", instead: MYSQL, has: ["_acquiringConnections"] },
  { what: "a connection of mysql", instead: MYSQL, has: ["_protocol", "_connectCalled"] },
  { what: "a pool cluster of mysql2", instead: ONE_SERVER, has: ["_serviceableNodeIds"] },
  { what: "a pool cluster of mysql2", instead: ONE_SERVER, has: ["poolCluster", "Promise"] },
  { what: "a pool of mysql2", entry: "mysql2", has: ["_allConnections", "getConnection"] },
  { what: "a pool of mysql2", entry: "mysql2", has: ["pool", "Promise"] },
  { what: "a connection of mysql2", entry: "mysql2", has: ["addCommand", "threadId"] },
  { what: "a connection of mysql2", entry: "mysql2", has: ["connection", "Promise"] },
  { what: "a pool cluster of mariadb", instead: ONE_SERVER, has: ["_matchingNodes"] },
  { what: "a pool of mariadb", entry: "mariadb", has: ["taskQueueSize", "importFile"] },
  { what: "a connection of mariadb", entry: "mariadb", has: ["queryStream", "importFile"] },
  { what: "a client pool of redis", instead: ONE_CLIENT, has: ["tasksQueueLength"] },
  { what: "a cluster of redis", instead: ONE_CLIENT, has: ["nodeByAddress"] },
  { what: "a sentinel of redis", instead: ONE_CLIENT, has: ["getSentinelNode"] },
  { what: "a client of redis", entry: "redis", has: ["withAbortSignal", "isReady"] },
  { what: "a cluster of ioredis", instead: ONE_CLIENT, has: ["startupNodes", "refreshSlotsCache"] },
  { what: "a client of ioredis", entry: "ioredis", has: ["scanStream", "defineCommand"] },
  { what: "a connection of DuckDB", entry: "duckdb", has: ["runAndReadAll", "interrupt"] },
  { what: "a database of libsql", entry: "libsql", has: ["prepare", "interrupt", "sync"] },
  { what: "a collection of mongodb", entry: "mongodb", has: ["collectionName", "dbName"] },
  { what: "a connection of NATS", entry: "nats", has: ["requestMany", "publishMessage"] },
  { what: "a database of mongodb", entry: "mongodb", has: ["databaseName", "runCursorCommand"] },
];

/**
 * Returns the TypeError for something that `caller`, a function of `entry`, cannot use. `takes` says what it
 * can use, such as "a pool or a connection of mysql2".
 */
export function wrongDriver(
  entry: string,
  takes: string,
  driver: unknown,
  caller = "withContext",
): TypeError {
  const expected = `${caller} of eightysix/${entry} takes ${takes}`;
  const isObject = (typeof driver === "object" && driver !== null) || typeof driver === "function";
  const found = isObject ? known.find(({ has }) => has.every((name) => name in driver)) : undefined;
  if (found === undefined) return new TypeError(`${expected}, got ${show(driver)}`);
  const { what, entry: right = "", instead } = found;
  if (right === entry) return new TypeError(`${expected}, got ${what} that cannot be used`);
  const hint = instead ?? `import withContext from "eightysix/${right}", which takes it`;
  return new TypeError(`${expected}, got ${what}; ${hint}`);
}
