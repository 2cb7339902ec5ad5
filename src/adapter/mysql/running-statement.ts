/** One statement while it runs on a connection: an operation that KILL QUERY stops. */
import { background, sleep } from "../../index.ts";
import type { Operation, Resolver, StopProof } from "../operation.ts";
import type { MysqlConnection } from "./driver.ts";
import type { TransactionState } from "./transaction-state.ts";

/** What a statement needs of the session that runs it. */
export interface StatementSession {
  readonly connection: MysqlConnection;
  readonly transaction: TransactionState;
  /** Kills the statement that the connection runs. Settles as `KillConnections.kill` does. */
  kill(): Promise<StopProof>;
  /** Destroys the kill connection. A KILL without an answer can then no longer arrive. */
  discardKillConnection(): void;
  /** Destroys the connection. Never throws. */
  destroy(): void;
}

const INTERRUPTED = new Set([
  1317, // ER_QUERY_INTERRUPTED
  1028, // ER_FILSORT_ABORT: a sort was interrupted
  1969, // MariaDB's ER_STATEMENT_TIMEOUT: max_statement_time
  3024, // MySQL's ER_QUERY_TIMEOUT: max_execution_time
  1927, // MariaDB's ER_CONNECTION_KILLED
]);

function isInterrupt(error: unknown): boolean {
  const { errno, sqlState } = Object(error) as { errno?: unknown; sqlState?: unknown };
  return INTERRUPTED.has(Number(errno)) || sqlState === "70100";
}

/** Whether the connection broke, so that the statement may still run. Errors of the server are below 5000. */
function isConnectionError(error: unknown): boolean {
  const { fatal, errno } = Object(error) as { fatal?: unknown; errno?: unknown };
  const isFromServer = Number(errno) >= 1_000 && Number(errno) < 5_000;
  return fatal === true && !isFromServer;
}

/** The error of mysql2's own `timeout`, which rejects while the statement goes on in the server. */
const LEFT_RUNNING = "PROTOCOL_SEQUENCE_TIMEOUT";

/** Milliseconds between two KILLs, if one call has sent several statements. */
const KILL_EVERY = 5;

/** A statement that does nothing. The server's answer says whether a transaction is open. */
const FENCE = "DO 0";

/**
 * One statement of the user.
 *
 * KILL QUERY hits whatever its connection runs when it arrives. The server ignores a KILL that
 * finds the connection idle. But before MySQL 5.7 a KILL that arrived as a statement was ending hit
 * the next statement (bug 11790057), and newer versions have gaps of their own. So after the server
 * has answered the KILL, the fence is sent: a statement that does nothing. If the KILL hits
 * anything late, it hits the fence.
 */
export class RunningStatement<T = unknown> implements Operation<T> {
  readonly kind: string;
  readonly what: string;
  readonly #session: StatementSession;
  readonly #call: () => PromiseLike<T>;
  readonly #mayOpenTransaction: boolean;
  #wasKilled = false;
  #lastKill: Promise<StopProof> | undefined;
  #pendingKills = 0;
  #isFencing = false;

  /** `mayOpenTransaction` says whether the statement can leave a transaction open even if it fails. */
  constructor(
    session: StatementSession,
    kind: string,
    what: string,
    call: () => PromiseLike<T>,
    mayOpenTransaction = false,
  ) {
    this.#session = session;
    this.kind = kind;
    this.what = what;
    this.#call = call;
    this.#mayOpenTransaction = mayOpenTransaction;
  }

  start(resolver: Resolver<T>): undefined {
    this.#run().then(
      (value) => resolver.resolve(value),
      (error: unknown) => resolver.reject(error, { answered: !isConnectionError(error) }),
    );
  }

  async #run(): Promise<T> {
    const { connection, transaction } = this.#session;
    try {
      const result = await this.#call();
      transaction.recordSuccess(connection.isInTransaction(result));
      if (this.#wasKilled) await this.#fence();
      return result;
    } catch (error) {
      if ((error as { code?: unknown }).code === LEFT_RUNNING) {
        await this.#kill().catch(() => this.destroy());
      }
      if (connection.isBusy()) await this.#drain();
      if (this.#wasKilled || transaction.isOpen || this.#mayOpenTransaction) {
        if (await this.#fence()) transaction.recordFailure(connection.isInTransaction());
      }
      throw error;
    }
  }

  /**
   * Waits until the driver has finished the rest of the call, such as the rest of a batch. If the
   * call was killed, also kills each statement that follows.
   */
  async #drain(): Promise<void> {
    let isDraining = true;
    const drained = this.#session.connection.execute(FENCE).then(
      () => (isDraining = false),
      () => (isDraining = false),
    );
    while (isDraining && this.#wasKilled) {
      await Promise.race([drained, sleep(background(), KILL_EVERY)]);
      if (isDraining) await this.#kill().catch(() => this.destroy());
    }
    await drained;
  }

  /**
   * Sends the fence until no KILL hits it. From then on, no KILL can arrive. Returns whether the
   * server has answered. Never rejects: the next statement reports a broken connection.
   */
  async #fence(): Promise<boolean> {
    this.#isFencing = true;
    await this.#lastKill?.catch(ignore); // `stop` reports it
    for (;;) {
      try {
        await this.#session.connection.execute(FENCE);
        return true;
      } catch (error) {
        if (!isInterrupt(error)) return false;
      }
    }
  }

  async stop(): Promise<StopProof> {
    if (!this.#isFencing) return await this.#kill();
    return "proven"; // by the answer to the last KILL, and by the fence
  }

  #kill(): Promise<StopProof> {
    this.#wasKilled = true;
    this.#pendingKills++;
    this.#lastKill = this.#session.kill().finally(() => this.#pendingKills--);
    return this.#lastKill;
  }

  isStop(error: unknown): boolean {
    return isInterrupt(error);
  }

  destroy(): void {
    if (this.#pendingKills > 0) this.#session.discardKillConnection();
    this.#session.destroy();
  }
}

function ignore(): void {
  // reported elsewhere
}
