/**
 * Which thread of which server a connection is.
 *
 * A thread id means something only on one server, and only until that server restarts. A proxy, DNS
 * or a virtual IP can lead the connection for KILL QUERY to another server, where the same id may be
 * another client's thread. So the server itself is asked, on the connection: for its own start, and
 * for the thread's id, user and host with port. The KILL is sent together with a comparison, in one
 * message.
 */

/** A connection whose thread can be read. */
export interface ThreadOwner {
  /** Stands for the driver's physical connection. */
  readonly key: object;
  /** The connection's number, as the handshake states it. */
  readonly threadId: number;
  /** The address of the server, and the user. */
  readonly account: string;
  /** The version as the server states it, such as "8.4.2" or "10.11.6-MariaDB". */
  readonly version: string;
  /** Sends a query that has one column. Resolves with the value in the first row, if there is one. */
  readValue(sql: string): Promise<unknown>;
}

export interface Thread {
  readonly id: number;
  /** In hexadecimal digits, so that neither quotes, character sets nor SQL modes matter. */
  readonly user: string;
  /** In hexadecimal digits. "localhost" without a port if the connection is a Unix socket. */
  readonly host: string;
  /** When the server was started, in seconds since 1970, by the server's clock. */
  readonly start: string;
  readonly tables: Tables;
}

/** The tables that a user without any privilege can read, about its own threads. */
interface Tables {
  readonly threads: string;
  readonly status: string;
}

/**
 * MySQL 8.0.22 and later. The table of the same name in information_schema is deprecated there. It
 * takes a lock of the whole server, and more time with each connection of the server.
 */
const PERFORMANCE_SCHEMA: Tables = {
  threads: "performance_schema.processlist",
  status: "performance_schema.global_status",
};
/** MySQL 5.7, and MySQL whose `performance_schema` is off or has no place left for the thread. */
const BOTH_SCHEMAS: Tables = {
  threads: "information_schema.processlist",
  status: "performance_schema.global_status",
};
/** MariaDB, where an ordinary user cannot read performance_schema. */
const INFORMATION_SCHEMA: Tables = {
  threads: "information_schema.processlist",
  status: "information_schema.global_status",
};

/** Returns the tables to try, in order. */
function tablesOf(version: string): readonly Tables[] {
  if (/mariadb/i.test(version)) return [INFORMATION_SCHEMA];
  return [PERFORMANCE_SCHEMA, BOTH_SCHEMAS, INFORMATION_SCHEMA];
}

/**
 * The time of the server's start. `Uptime` counts from the start to the begin of the statement, which
 * is what `unix_timestamp()` returns, so the difference is exact.
 */
const startOf = ({ status }: Tables): string =>
  `unix_timestamp() - (select variable_value from ${status} where variable_name = 'UPTIME')`;

/** The threads that were read. `thread` is undefined if the server did not say which thread it is. */
const known = new WeakMap<object, { account: string; thread: Thread | undefined }>();

/** Returns whether `readThread` has had an answer for this connection and its present user. */
export function hasReadThread({ key, account }: ThreadOwner): boolean {
  return known.get(key)?.account === account;
}

/** Returns the connection's thread, or `undefined` if it is unknown. Then nothing may be killed. */
export function threadOf({ key, account }: ThreadOwner): Thread | undefined {
  const entry = known.get(key);
  return entry?.account === account ? entry.thread : undefined;
}

/**
 * Asks the server which thread the connection is, once for each physical connection. Nothing else
 * may run on the connection. The query opens no transaction. Never rejects: if the connection has
 * broken, the next statement reports it.
 */
export async function readThread(owner: ThreadOwner): Promise<void> {
  const { key, account, threadId, version } = owner;
  let thread: Thread | undefined;
  for (const tables of tablesOf(version)) {
    let text: unknown;
    try {
      text = await owner.readValue(
        `select concat_ws(' ', id, hex(user), hex(host), ${startOf(tables)}) from ${tables.threads} where id = connection_id()`,
      );
    } catch (error) {
      if ((error as { fatal?: unknown }).fatal === true) return; // the connection has broken
    }
    const [, id, user, host, start] = FORM.exec(String(text)) ?? [];
    if (user === undefined || host === undefined || start === undefined) continue;
    // A proxy that shares its connections to the server among its clients numbers them itself.
    if (Number(id) === threadId) thread = { id: threadId, user, host, start, tables };
    break;
  }
  known.set(key, { account, thread });
}

const FORM = /^(\d+) ([0-9A-F]+) ([0-9A-F]+) (\d{1,12})$/;

/**
 * Returns the message that kills the statement of `thread`, if there is such a thread where the
 * message arrives. Otherwise it fails with error 1094 and kills nothing. It consists of several
 * statements, because KILL takes a variable but no subquery.
 *
 * `ownId` is the id of the connection that sends it, as its handshake states it. `isFirst` says
 * whether it is the first message there. The server's start is expensive to read, so it is kept in a
 * variable, which is lost with the connection to the server.
 */
export function killMessage(thread: Thread, ownId: number, isFirst: boolean): string {
  const { id, user, host, start, tables } = thread;
  const is = `id = ${id} and hex(user) = '${user}' and hex(host) = '${host}'`;
  // The last condition is wrong if a proxy numbers connections and these numbers are equal by chance.
  const here = `@eightysix_start = ${start} and connection_id() = ${ownId}`;
  return `${isFirst ? `SET @eightysix_start = ${startOf(tables)}; ` : ""}SET @eightysix_id = (select id from ${tables.threads} where ${is} and ${here}); KILL QUERY @eightysix_id`;
}
