/**
 * The deadline, pushed to the server: what ends a query there when we cannot, because this process
 * or its network is gone.
 */
import { setTimeoutTo } from "../adapter/postgresql/server-timeout.ts";
import type { Connection, Query } from "./driver.ts";
import { startOf } from "./orm/statement.ts";

/** Local to the transaction; and says what is in force, because it must never be lengthened. */
const SET =
  "select current_setting('statement_timeout'), set_config('statement_timeout', $1::text, true)";
const NAME = "eightysix_timeout";

/** The same where nothing is known of the connection yet. */
const SET_IF_SHORTER = setTimeoutTo("$1::text");

interface Known {
  /** The limit that the user has set there, in milliseconds; 0 is none. Unknown after `forgetLimit`. */
  own: number | undefined;
  /** Whether `NAME` is prepared there; "never" behind a pooler that loses prepared statements. */
  prepared: boolean | "never";
}
const known = new WeakMap<Connection, Known>();

/** A function has had this connection for its own, and may have set a limit. */
export function forgetLimit(connection: Connection): void {
  const there = known.get(connection);
  if (there !== undefined) there.own = undefined;
}

/** A transaction that this statement opens would keep the setting. */
function opensTransaction(text: string): boolean {
  return /^(?:begin|start)\b/i.test(text.slice(startOf(text)));
}

/**
 * Lets the server end `query`, the next on this idle connection of ours, after `ms`. The setting
 * travels in the same flight, and is local to the implicit transaction that ends with the query: no
 * round trip more, and nothing of it outlives the query. Costs about 20 microseconds.
 *
 * It needs the extended protocol, so a text without values is promoted to that. After a failure, ask
 * `resend`.
 */
export function applyServerTimeout(query: Query, connection: Connection, ms: number): void {
  if (!query.text || opensTransaction(query.text)) return;
  const there = known.get(connection);
  if (there?.own !== undefined && there.own !== 0 && there.own <= ms) return;
  if (!query.requiresPreparation()) query.queryMode = "extended";
  const prepare = query.prepare.bind(query);
  const row = query.handleDataRow.bind(query);
  const complete = query.handleCommandComplete.bind(query);
  const refuse = query.handleCopyInResponse.bind(query);
  let ours = true;
  query.prepare = () => {
    const { name, text, types } = query;
    // pg takes the first ParseComplete for that of a named query: so that one goes first.
    if (name && !query.hasBeenParsed(connection)) {
      connection.parse({ text, name, types });
      connection.submittedNamedStatements[name] = text;
    }
    sendSetting(connection, there, String(ms));
    prepare(connection);
  };
  query.handleDataRow = (message) => {
    if (ours) {
      const prepared =
        there?.own === undefined ? (there?.prepared ?? false) : there.prepared || true;
      known.set(connection, { own: milliseconds(message.fields[0]), prepared });
    } else row(message);
  };
  // The server has ignored our Sync: while it waits for the data of a COPY it does that.
  query.handleCopyInResponse = () => {
    refuse(connection);
    connection.sync();
  };
  query.handleCommandComplete = (message) => {
    if (ours) ours = false;
    else complete(message, connection);
  };
}

function sendSetting(connection: Connection, there: Known | undefined, ms: string): void {
  // A statement prepared by name saves the server most of the work.
  const isKnown = there?.own !== undefined;
  const statement = !isKnown || there.prepared === "never" ? "" : NAME;
  if (statement === "" || there?.prepared !== true) {
    connection.parse({ text: isKnown ? SET : SET_IF_SHORTER, name: statement });
  }
  connection.bind({ statement, values: [ms] });
  connection.execute({});
}

/**
 * Whether a limited query has failed only because of the limit, before anything was done; and how it
 * is to be sent again.
 */
export function resend(error: unknown, connection: Connection): "plain" | "limited" | undefined {
  const { code, message, where, internalQuery } = error as Record<string, unknown>;
  // From within a function or a DO, which may have committed something by then.
  if (where !== undefined || internalQuery !== undefined) return undefined;
  const there = known.get(connection);
  switch (code) {
    case "42601": // several statements in one text; or a mistake, which the simple protocol finds again
    case "25001": // VACUUM, CREATE DATABASE and others: not in company
      return "plain";
    case "26000": // no prepared statement of this name
    case "42P05": // there is one already
      if (there === undefined || !String(message).includes(NAME)) return undefined;
      there.prepared = "never";
      return "limited";
    default:
      return undefined;
  }
}

const UNITS: Record<string, number> = { ms: 1, s: 1e3, min: 6e4, h: 36e5, d: 864e5 };

/** As the server shows it: "0", "30ms", "1min". */
function milliseconds(shown: unknown): number {
  const [, number = "0", unit = "ms"] = /^(\d+)(\w*)$/.exec(String(shown)) ?? [];
  return Number(number) * (UNITS[unit] ?? 1);
}
