/** One statement on a connection of its own, while it runs: an operation that can be stopped. */
import { background, sleep, throwIfDone, withCancel, type Context } from "../../index.ts";
import type { MysqlConnection, Reading } from "./driver.ts";
import type { MysqlSession } from "./session.ts";
import type { Stream } from "../sessions.ts";
import type { Operation } from "../stoppable.ts";

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

/** mysql2's own `timeout` rejects while the statement goes on. */
const LEFT_RUNNING = "PROTOCOL_SEQUENCE_TIMEOUT";

/** Milliseconds, where there is more than one statement to kill. */
const KILL_EVERY = 5;

/** Does nothing; its answer says whether a transaction is open. */
const FENCE = "DO 0";

/**
 * KILL QUERY hits whatever its connection runs when it arrives. One that finds the connection idle
 * is forgotten; but before MySQL 5.7 one that came as a statement was ending hit the next (bug
 * 11790057), and newer ones have their gaps. So after a KILL, and when it was answered, a statement
 * that does nothing goes first: if anything is hit, it is that one.
 */
export class RunningStatement<T = unknown> implements Operation<T> {
  readonly kind: string;
  readonly what: string;
  protected readonly session: MysqlSession;
  protected readonly connection: MysqlConnection;
  readonly #call: () => PromiseLike<T>;
  readonly #mayOpen: boolean;
  #killed = false;
  #killing: Promise<void> | undefined;
  #pending = 0;
  #fencing = false;

  /** `mayOpen`: whether it can leave a transaction open, although it fails. */
  constructor(
    session: MysqlSession,
    kind: string,
    what: string,
    call: () => PromiseLike<T>,
    mayOpen = false,
  ) {
    this.session = session;
    this.connection = session.connection;
    this.kind = kind;
    this.what = what;
    this.#call = call;
    this.#mayOpen = mayOpen;
  }

  start(): Promise<T> {
    return this.#run();
  }

  async #run(): Promise<T> {
    try {
      const result = await this.#call();
      this.session.saw(this.connection.inTransaction(result));
      if (this.#killed) await this.#fence();
      return result;
    } catch (error) {
      if ((error as { code?: unknown }).code === LEFT_RUNNING) {
        await this.#kill().catch(() => this.destroy());
      }
      if (this.connection.isBusy()) await this.#drain();
      if (this.#killed || this.session.isInTransaction || this.#mayOpen) await this.#fence(true);
      throw error;
    }
  }

  /** Until what is left of it is over, such as the rest of a batch: many statements, a KILL for each. */
  async #drain(): Promise<void> {
    let isLeft = true;
    const drained = this.connection.execute(FENCE).then(
      () => (isLeft = false),
      () => (isLeft = false),
    );
    while (isLeft && this.#killed) {
      await Promise.race([drained, sleep(background(), KILL_EVERY)]);
      if (isLeft) await this.#kill().catch(() => this.destroy());
    }
    await drained;
  }

  /** From here on nothing is killed any more. Never rejects: a broken connection says so itself. */
  async #fence(failed = false): Promise<void> {
    this.#fencing = true;
    await this.#killing?.catch(ignore); // `stop` says it
    for (;;) {
      try {
        await this.connection.execute(FENCE);
        if (failed) this.session.sawAfterFailure(this.connection.inTransaction(undefined));
        return;
      } catch (error) {
        if (!isInterrupt(error)) return;
      }
    }
  }

  stop(): PromiseLike<unknown> {
    return this.#fencing ? Promise.resolve() : this.#kill();
  }

  #kill(): Promise<void> {
    this.#killed = true;
    this.#pending++;
    this.#killing = this.session.kill().finally(() => this.#pending--);
    return this.#killing;
  }

  isStop(error: unknown): boolean {
    return isInterrupt(error);
  }

  destroy(): void {
    if (this.#pending > 0) this.session.giveUpKill();
    this.session.destroy();
  }
}

/** Rows that are held while nobody asks for them. */
const ROWS = 100;

/** A statement whose rows are read as they come. */
export class StreamStatement extends RunningStatement<void> implements Stream {
  readonly ended: Promise<void>;
  readonly #scope: ReturnType<typeof withCancel>;
  #reading: Reading | undefined;
  #rows: unknown[] = [];
  #isPaused = false;
  #isOver = false;
  #discards = false;
  #wake: (() => void) | undefined;

  constructor(
    ctx: Context,
    session: MysqlSession,
    kind: string,
    what: string,
    read: (row: (row: unknown) => void, end: (error?: Error) => void) => Reading,
  ) {
    super(
      session,
      kind,
      what,
      () =>
        new Promise<void>((resolve, reject) => {
          this.#reading = read(this.#take, (error) => {
            if (error === undefined) resolve();
            else reject(error);
          });
        }),
    );
    // Its end is that of the context, or of the loop.
    this.#scope = withCancel(ctx);
    const done = (): void => {
      this.#isOver = true;
      this.#scope[Symbol.dispose]();
      this.#wake?.();
    };
    this.ended = session.inTurn(this.#scope, this).then(done, (error: unknown) => {
      done();
      throw error;
    });
    this.ended.catch(ignore); // `next` says it
  }

  async next(): Promise<unknown[] | undefined> {
    for (;;) {
      if (this.#rows.length > 0) {
        const rows = this.#rows;
        this.#rows = [];
        return rows;
      }
      if (this.#isOver) {
        await this.ended;
        if (this.#discards) throwIfDone(this.#scope); // it succeeded, but not all of it was kept
        return undefined;
      }
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      this.#resume(); // may bring rows at once
      await woken;
    }
  }

  async close(): Promise<void> {
    this.#scope[Symbol.dispose]();
    await this.ended.catch(ignore);
  }

  /** The server notices a KILL only when it can get rid of what it has to say. */
  override stop(): PromiseLike<unknown> {
    this.#discards = true;
    this.#rows = [];
    this.#resume();
    return super.stop();
  }

  readonly #take = (row: unknown): void => {
    if (this.#discards) return;
    this.#rows.push(row);
    this.#wake?.();
    if (this.#rows.length < ROWS || this.#isPaused) return;
    this.#isPaused = true;
    this.#reading?.pause();
  };

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#reading?.resume();
  }
}

function ignore(): void {
  // for what somebody else says
}
