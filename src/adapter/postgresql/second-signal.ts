/**
 * The second signal of a cancel request, which may arrive after the query has answered the first.
 *
 * For one request, PostgreSQL before 18 signals the backend twice: the process, and then its process
 * group (`signal_child` in postmaster.c). The first signal ends the query. If the second one is late, it
 * hits the next query of the connection. PostgreSQL closes the connection of the request after both.
 *
 * So if the answer of the query arrives before that close, both signals have been sent. A pooler that
 * waits for PostgreSQL closes after both signals. A pooler that does not wait closes before the first
 * signal, and so before the answer. If the close arrives first, either such a pooler has closed, or the
 * server was slow to answer. Then the server is asked whether a second signal is possible.
 * https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/postmaster/postmaster.c
 * https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/storage/ipc/procsignal.c
 */

/** What the client knows of its connection: the process that serves it, and the port of its socket. */
export interface ClientSide {
  readonly pid: number;
  readonly port: number | undefined;
}

/** What the servers have answered, by their addresses. A process has few of these. Exported for tests. */
export const answers = new Map<unknown, boolean>();

/**
 * Resolves with true if the server says that no second signal can follow its answer, and with false if
 * one can, or if the server cannot be asked now. `ask` sends a statement on the connection of the query,
 * and resolves with the number of its rows. Each address is asked until it has answered once.
 */
export async function sendsNoSecondSignal(
  server: string | object,
  client: ClientSide,
  ask: (question: string) => PromiseLike<number>,
): Promise<boolean> {
  const known = answers.get(server);
  if (known !== undefined) return known;
  const answer = await ask(questionOf(client)).then(
    (rows) => rows === 1,
    () => undefined,
  );
  if (answer !== undefined && typeof server === "string") answers.set(server, answer);
  return answer === true;
}

/**
 * Returns a statement that has one row if the server signals once, or if no pooler stands between: the
 * process and the port that the server sees are those that the client knows. Otherwise it has no row.
 */
function questionOf({ pid, port }: ClientSide): string {
  const signalsOnce = "current_setting('server_version_num')::int >= 180000";
  if (port === undefined) return `select where ${signalsOnce}`;
  return `select where ${signalsOnce} or (pg_backend_pid() = ${pid} and inet_client_port() = ${port})`;
}
