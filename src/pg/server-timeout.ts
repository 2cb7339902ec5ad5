/**
 * The deadline, sent to the server along with the query. It ends the query on the server if this
 * process or its network has failed and can send no cancel request.
 */
import { transactionCommandOf } from "../adapter/orm/transaction-command.ts";
import { setTimeoutTo } from "../adapter/postgresql/server-timeout.ts";
import type { Connection, Query } from "./driver.ts";

/**
 * Sets the timeout for the current transaction. The statement also returns the timeout that was in
 * force before, because a limit that the user has set must never be lengthened.
 */
const SET =
  "select current_setting('statement_timeout'), set_config('statement_timeout', $1::text, true)";
const NAME = "eightysix_timeout";

/** The same, for a connection whose own limit is unknown. */
const SET_IF_SHORTER = setTimeoutTo("$1::text");

/** What is known of a connection. */
interface ConnectionState {
  /** The user's own limit in milliseconds. 0 means no limit. `undefined` means unknown. */
  ownLimit: number | undefined;
  /** Whether `NAME` is prepared there. "never" behind a pooler that loses prepared statements. */
  isPrepared: boolean | "never";
}
const states = new WeakMap<Connection, ConnectionState>();

/** Forgets the connection's own limit. Called when a caller's code may have set another one. */
export function forgetLimit(connection: Connection): void {
  const state = states.get(connection);
  if (state !== undefined) state.ownLimit = undefined;
}

/**
 * Lets the server end `query` after `ms` milliseconds. `query` must be the next one on this idle,
 * leased connection. If the query fails, call `resendModeAfter`.
 *
 * The setting travels in the same flight as the query and is local to the implicit transaction that
 * ends with the query. So the setting costs no round trip (about 20 microseconds in all), and does
 * not outlive the query. A statement that begins a transaction gets no limit, because the
 * transaction would keep it.
 *
 * A flight of two statements needs the extended protocol, so a text without values uses that too.
 *
 * pg has no hook for messages before those of a query. So methods of this one query are replaced:
 * `prepare` sends the setting first, and the handlers keep the answer to the setting apart.
 */
export function applyServerTimeout(query: Query, connection: Connection, ms: number): void {
  if (!query.text || transactionCommandOf(query.text) === "begin") return;
  const state = states.get(connection);
  if (state?.ownLimit !== undefined && state.ownLimit !== 0 && state.ownLimit <= ms) return;
  if (!query.requiresPreparation()) query.queryMode = "extended";
  const prepare = query.prepare.bind(query);
  const handleDataRow = query.handleDataRow.bind(query);
  const handleCommandComplete = query.handleCommandComplete.bind(query);
  const handleCopyInResponse = query.handleCopyInResponse.bind(query);
  let isSetting = true;
  query.prepare = () => {
    const { name, text, types } = query;
    // pg takes the first ParseComplete for that of a named query, so the query is parsed first.
    if (name && !query.hasBeenParsed(connection)) {
      connection.parse({ text, name, types });
      connection.submittedNamedStatements[name] = text;
    }
    sendSetting(connection, state, String(ms));
    prepare(connection);
  };
  query.handleDataRow = (message) => {
    if (isSetting) {
      const isPrepared =
        state?.ownLimit === undefined ? (state?.isPrepared ?? false) : state.isPrepared || true;
      states.set(connection, { ownLimit: milliseconds(message.fields[0]), isPrepared });
    } else handleDataRow(message);
  };
  // While the server waits for the data of a COPY, it ignores a Sync. So the Sync is sent again.
  query.handleCopyInResponse = () => {
    handleCopyInResponse(connection);
    connection.sync();
  };
  query.handleCommandComplete = (message) => {
    if (isSetting) isSetting = false;
    else handleCommandComplete(message, connection);
  };
}

function sendSetting(connection: Connection, state: ConnectionState | undefined, ms: string): void {
  // A statement that is prepared by name saves the server most of the work.
  const isLimitKnown = state?.ownLimit !== undefined;
  const statement = !isLimitKnown || state.isPrepared === "never" ? "" : NAME;
  if (statement === "" || state?.isPrepared !== true) {
    connection.parse({ text: isLimitKnown ? SET : SET_IF_SHORTER, name: statement });
  }
  connection.bind({ statement, values: [ms] });
  connection.execute({});
}

/**
 * Returns how to send a limited query again, or `undefined` if it must not be sent again. It may be
 * sent again only if it failed because of the limit, before it did anything.
 */
export function resendModeAfter(
  error: unknown,
  connection: Connection,
): "plain" | "limited" | undefined {
  const { code, message, where, internalQuery } = error as Record<string, unknown>;
  // A query that failed inside a function or a DO block is not sent again, because that code may
  // have committed before.
  if (where !== undefined || internalQuery !== undefined) return undefined;
  const state = states.get(connection);
  switch (code) {
    case "42601": // several statements in one text, or a mistake that the simple protocol reports too
    case "25001": // VACUUM, CREATE DATABASE and others, which run only by themselves
      return "plain";
    case "26000": // no prepared statement has this name
    case "42P05": // a prepared statement has this name already
      if (state === undefined || !String(message).includes(NAME)) return undefined;
      state.isPrepared = "never";
      return "limited";
    default:
      return undefined;
  }
}

const UNITS: Record<string, number> = { ms: 1, s: 1e3, min: 6e4, h: 36e5, d: 864e5 };

/** Reads a duration as the server shows it: "0", "30ms", "1min". */
function milliseconds(shown: unknown): number {
  const [, number = "0", unit = "ms"] = /^(\d+)(\w*)$/.exec(String(shown)) ?? [];
  return Number(number) * (UNITS[unit] ?? 1);
}
