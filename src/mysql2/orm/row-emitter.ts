/** A statement without a callback, whose rows are emitted, or read as a stream. */
import type { EventEmitter } from "node:events";
import { isContextError, withCancel, type CancelableContext, type Context } from "../../index.ts";
import type { StatementArguments } from "../../adapter/mysql/statement-arguments.ts";
import type { PausableRows } from "../../adapter/mysql/driver.ts";
import { readCommand, type CoreConnection, type Method } from "../driver.ts";

/** A command of mysql2 that is never sent itself. Its `stream` makes a stream of its events. */
export interface UnsentCommand extends EventEmitter {
  stream(options?: object): EventEmitter;
  /** What `stream` pauses and resumes. */
  _connection?: PausableRows | null;
  then?: unknown;
  catch?: unknown;
}

const NOTHING_TO_PAUSE: PausableRows = { pause: () => undefined, resume: () => undefined };

/**
 * Passes the events of a statement on to the command that the caller has. The statement is sent
 * later, when it is its turn on the connection, and by a command of its own.
 */
export class RowEmitter {
  readonly command: UnsentCommand;
  /** Ends with the caller's context, or when the stream is destroyed. */
  readonly ctx: Context;
  readonly #reading: CancelableContext | undefined;
  #source: PausableRows | undefined;
  #hasStream = false;
  #isDiscarding = false;
  #hasDiscarded = false;

  /** `ctx` is undefined if the statement belongs to no context. It then runs under `background`. */
  constructor(command: UnsentCommand, ctx: Context | undefined, background: Context) {
    this.command = command;
    this.#reading = ctx && withCancel(ctx);
    this.ctx = this.#reading ?? background;
    command._connection = NOTHING_TO_PAUSE;
    // mysql2's `then` throws. Otherwise `runWithContext` would call it, and so would an `await`.
    command.then = command.catch = undefined;
    const stream = command.stream.bind(command);
    command.stream = (options?: object) => {
      const readable = stream(options);
      this.#hasStream = true;
      readable.once("close", () => this.#reading?.cancel());
      return readable;
    };
  }

  /** Whether rows were lost to a stop, so that the statement must not count as a success. */
  get hasDiscarded(): boolean {
    return this.#hasDiscarded;
  }

  /** Sends the statement. Resolves with an answer as the driver's own, without the rows. */
  read(core: CoreConnection, method: Method, args: StatementArguments): Promise<unknown> {
    return new Promise((resolve, reject) => {
      // With several results, an answer has one entry for each of them.
      const results: unknown[] = [];
      const fieldsOfAll: unknown[] = [];
      this.#source = readCommand(core, method, args, {
        onFields: (fields) => {
          fieldsOfAll.push(fields);
          if (!this.#isDiscarding) this.command.emit("fields", fields);
        },
        onRow: (row, resultIndex) => {
          const isHeader = fieldsOfAll.at(-1) === undefined;
          if (isHeader) results.push(row);
          if (isHeader || !this.#isDiscarding) this.command.emit("result", row, resultIndex);
          else this.#hasDiscarded = true;
        },
        onEnd: (error) => (error === undefined ? resolve([results, fieldsOfAll]) : reject(error)),
      });
      if (!this.#isDiscarding) this.command._connection = this.#source;
    });
  }

  /** Discards the rows from now on, also those that a slow reader holds back. */
  discard(): void {
    this.#isDiscarding = true;
    this.command._connection = NOTHING_TO_PAUSE;
    this.#source?.resume();
  }

  /** Emits the end of the statement, once `answer` has settled. */
  follow(answer: Promise<unknown>): void {
    answer.then(
      () => this.#end(),
      (error: unknown) => this.#end(error),
    );
  }

  #end(error?: unknown): void {
    this.#isDiscarding = true; // a destroyed connection may still have packets
    this.command._connection = NOTHING_TO_PAUSE;
    // An error without a listener would end the process. A stream listens until it is destroyed.
    const mayBeUnheard = this.#hasStream || isContextError(error);
    const isNews = !mayBeUnheard || this.command.listenerCount("error") > 0;
    if (error !== undefined && isNews) this.command.emit("error", error);
    this.command.emit("end");
    this.#reading?.cancel();
  }
}
