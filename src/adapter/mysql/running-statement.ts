/** One statement while it runs on a connection: an operation that KILL QUERY stops. */
import { afterFunc, background, sleep, withTimeout } from "../../index.ts";
import { now } from "../../internal.ts";
import type { Operation, Resolver, StopProof } from "../operation.ts";
import type { MysqlConnection } from "./driver.ts";
import { canBeFromKill, holdsAfterKill, isInterrupt } from "./killed.ts";
import type { TransactionState } from "./transaction-state.ts";

/** What a statement needs of the session that runs it. */
export interface StatementSession {
  readonly connection: MysqlConnection;
  readonly transaction: TransactionState;
  /** Kills the statement that the connection runs. Settles as `KillConnections.kill` does. */
  kill(): Promise<StopProof>;
  /** Returns whether the server says that the connection runs nothing. Never rejects. */
  isIdle(): Promise<boolean>;
  /** Destroys the kill connection. A KILL without an answer can then no longer arrive. */
  discardKillConnection(): void;
  /** Destroys the connection. Never throws. */
  destroy(): void;
  /** How long the server may take to stop a statement, in milliseconds. */
  readonly stopTimeout: number;
}

/** Whether the connection broke, so that the statement may still run. Errors of the server are below 5000. */
export function isConnectionError(error: unknown): boolean {
  const { fatal, errno } = Object(error) as { fatal?: unknown; errno?: unknown };
  const isFromServer = Number(errno) >= 1_000 && Number(errno) < 5_000;
  return fatal === true && !isFromServer;
}

export interface StatementOptions<T> {
  readonly kind: string;
  readonly what: string;
  /** Sends the statement. */
  readonly call: () => PromiseLike<T>;
  /** Whether the statement can leave a transaction open even if it fails. False if it is left out. */
  readonly mayOpenTransaction?: boolean;
  /** Whether the call sends one statement after the other. False if it is left out. */
  readonly isBatch?: boolean;
  /** Called when the statement is to be stopped, before each KILL. */
  readonly onStop?: (() => void) | undefined;
}

/** The error of mysql2's own `timeout`, which rejects while the statement goes on in the server. */
const LEFT_RUNNING = "PROTOCOL_SEQUENCE_TIMEOUT";

/** Milliseconds between two KILLs, if one call has sent several statements. */
const KILL_EVERY = 5;

/** The longest pause between two KILLs that could not be sent, in milliseconds. */
const LONGEST_PAUSE = 500;

/**
 * Milliseconds that an answer may be on its way after the server has become idle. A packet that was
 * lost is sent again within this time.
 */
const ANSWER_TIME = 250;

/** The outcome of a statement that succeeded, but whose answer the KILL may have changed. */
const CHANGED_BY_KILL = new Error("the statement was killed, which may have changed its answer");

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
  readonly #isBatch: boolean;
  readonly #onStop: (() => void) | undefined;
  /** Whether a KILL was asked for. Perhaps none could be sent. */
  #wasKilled = false;
  /** Whether a KILL that was sent may have reached the statement. Known after the fence. */
  #mayBeHit = false;
  #lastKill: Promise<StopProof> | undefined;
  #pendingKills = 0;
  #isAnswered = false;
  #isDestroyed = false;
  /** Called when the connection is destroyed. */
  #onDestroyed: (() => void) | undefined;
  #idleSince: number | undefined;

  constructor(session: StatementSession, options: StatementOptions<T>) {
    this.#session = session;
    this.kind = options.kind;
    this.what = options.what;
    this.#call = options.call;
    this.#mayOpenTransaction = options.mayOpenTransaction ?? false;
    this.#isBatch = options.isBatch ?? false;
    this.#onStop = options.onStop;
  }

  start(resolver: Resolver<T>): undefined {
    this.#run().then(
      (value) => resolver.resolve(value),
      (error: unknown) =>
        resolver.reject(error, { answered: !this.#isDestroyed && !isConnectionError(error) }),
    );
  }

  async #run(): Promise<T> {
    const { connection, transaction } = this.#session;
    let result: T;
    try {
      result = await this.#call();
      this.#isAnswered = true;
      transaction.recordSuccess(connection.isInTransaction(result));
    } catch (error) {
      const isLeftRunning = (error as { code?: unknown }).code === LEFT_RUNNING;
      await this.#unlessDestroyed(isLeftRunning ? this.#endLeftRunning() : this.#endFailed());
      throw error;
    }
    if (this.#wasKilled) {
      await this.#unlessDestroyed(this.#fence());
      const holds = !this.#mayBeHit || holdsAfterKill(this.what, connection.hasRows(result));
      if (!holds) throw CHANGED_BY_KILL;
    }
    return result;
  }

  /** Waits for `work`, or until the connection is destroyed: mysql2 then answers nothing more. */
  async #unlessDestroyed(work: Promise<unknown>): Promise<void> {
    if (this.#isDestroyed) return;
    const destroyed = new Promise<void>((resolve) => (this.#onDestroyed = resolve));
    await Promise.race([work, destroyed]);
  }

  /** Stops a statement that the driver has given up. The context need not end, so this has a limit. */
  async #endLeftRunning(): Promise<void> {
    using limit = withTimeout(background(), this.#session.stopTimeout);
    afterFunc(limit, () => this.destroy());
    await this.#kill().catch(() => this.destroy());
    await this.#endFailed();
  }

  /** Waits until the call has ended, and finds out whether a transaction is open. */
  async #endFailed(): Promise<void> {
    const { connection, transaction } = this.#session;
    if (connection.isBusy()) await this.#drain();
    this.#isAnswered = true;
    if (this.#wasKilled || transaction.isOpen || this.#mayOpenTransaction) {
      if (await this.#fence()) transaction.recordFailure(connection.isInTransaction());
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
    let pause = KILL_EVERY;
    while (isDraining && this.#wasKilled && !this.#isDestroyed) {
      await Promise.race([drained, sleep(background(), pause)]);
      if (!isDraining || this.#isDestroyed) break;
      const proof = await this.#kill().catch(() => this.destroy());
      pause = proof === "unsent" ? Math.min(2 * pause, LONGEST_PAUSE) : KILL_EVERY;
    }
    await drained;
  }

  /**
   * Sends the fence until no KILL hits it. From then on, no KILL can arrive. Returns whether the
   * server has answered. Never rejects: the next statement reports a broken connection.
   */
  async #fence(): Promise<boolean> {
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

  async stop(signal: AbortSignal): Promise<StopProof> {
    this.#onStop?.();
    if (this.#wasKilled && (await this.#isForgotten())) return "unsent";
    // A KILL ends one statement, and some succeed in spite of it. The rest of the batch would follow.
    while (this.#isBatch && !this.#isAnswered && !signal.aborted) {
      if ((await this.#kill()) === "unsent") return "unsent";
      await sleep(background(), KILL_EVERY);
    }
    if (!this.#isAnswered) return await this.#kill();
    return "proven"; // by the answer to the last KILL, and by the fence
  }

  /**
   * Returns whether the server runs nothing, although it has not answered. Throws if that lasts.
   *
   * A KILL that arrives between two statements of one text makes the server forget the second one
   * after it has announced a further result. The driver then waits for ever. Both servers do so: see
   * `while (!thd->killed && …found_semicolon…)` in their sql/sql_parse.cc, which leaves
   * SERVER_MORE_RESULTS_EXISTS in the last answer.
   */
  async #isForgotten(): Promise<boolean> {
    if (this.#isAnswered || !this.what.includes(";") || !(await this.#session.isIdle())) {
      this.#idleSince = undefined;
      return false;
    }
    this.#idleSince ??= now();
    if (this.#isAnswered || now() - this.#idleSince < ANSWER_TIME) return true;
    throw new Error("the server has stopped the statement, but has not answered");
  }

  #kill(): Promise<StopProof> {
    this.#wasKilled = true;
    return (this.#lastKill = this.#sendKill());
  }

  async #sendKill(): Promise<StopProof> {
    this.#pendingKills++;
    let proof: StopProof | undefined;
    try {
      return (proof = await this.#session.kill());
    } finally {
      this.#pendingKills--;
      if (proof !== "unsent") this.#mayBeHit = true;
    }
  }

  isStop(error: unknown): boolean | "unproven" {
    if (error === CHANGED_BY_KILL || isInterrupt(error)) return true;
    return this.#mayBeHit && canBeFromKill(error) && "unproven";
  }

  destroy(): void {
    this.#isDestroyed = true;
    if (this.#pendingKills > 0) this.#session.discardKillConnection();
    this.#session.destroy();
    this.#onDestroyed?.();
  }
}

function ignore(): void {
  // reported elsewhere
}
