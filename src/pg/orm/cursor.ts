/** Cursors of pg-cursor, and the streams of pg-query-stream that are built on them. */
import type { Context } from "../../index.ts";
import { runStoppable, type Settings } from "../../adapter/index.ts";
import { ClientQuery } from "../client-query.ts";
import type { Callback, Client, Connection } from "../driver.ts";
import { runUnstoppableStatement } from "../unstoppable.ts";
import type { Submittable } from "./submittable.ts";

/** The internals of pg-cursor. */
interface Cursor {
  readonly text: string;
  readonly state: "initialized" | "submitted" | "idle" | "busy" | "done" | "error";
  readonly _result: { addFields(fields: unknown): void };
  readonly _ifNoData: () => void;
  read(rows: number, callback: Callback): void;
  close(callback: CloseCallback): void;
}

type CloseCallback = (error?: Error) => void;

/** Returns the cursor that `submittable` is or has, if any. */
export function cursorOf(submittable: Submittable): Cursor | undefined {
  for (const it of [submittable, submittable.cursor] as Partial<Cursor & Submittable>[]) {
    if (typeof it?.read === "function" && typeof it.close === "function" && "state" in it) {
      return it as Cursor;
    }
  }
  return undefined;
}

/**
 * Makes the reads of a cursor stop with a context. pg-cursor has no hook for its reads, so the
 * cursor's `read` and `close` are replaced. The `submit` of the object that pg receives (the cursor
 * itself or a pg-query-stream) is replaced too.
 */
export class BoundCursor {
  readonly #ctx: Context;
  readonly #submittable: Submittable;
  readonly #cursor: Cursor;
  readonly #settings: Settings;
  readonly #client: Client;
  /** The reads that have not settled. */
  readonly #reads = new Set<CursorRead>();
  // The driver's own methods.
  readonly #driverSubmit: Submittable["submit"];
  readonly #driverRead: Cursor["read"];
  readonly #driverClose: Cursor["close"];

  constructor(
    ctx: Context,
    submittable: Submittable,
    cursor: Cursor,
    settings: Settings,
    client: Client,
  ) {
    this.#ctx = ctx;
    this.#submittable = submittable;
    this.#cursor = cursor;
    this.#settings = settings;
    this.#client = client;
    this.#driverSubmit = submittable.submit.bind(submittable);
    this.#driverRead = cursor.read.bind(cursor);
    this.#driverClose = cursor.close.bind(cursor);
  }

  /** Replaces the methods. The caller submits the cursor afterwards. */
  install(): void {
    this.#submittable.submit = (connection) => this.#submit(connection);
    Object.assign(this.#cursor, {
      read: (rows: number, callback?: ReadCallback) => this.#read(rows, callback),
      close: (callback?: CloseCallback) => this.#close(callback),
    });
  }

  #submit(connection: Connection): Error | null | undefined {
    const err = this.#ctx.err();
    if (err !== undefined) return err;
    const error = this.#driverSubmit(connection);
    for (const read of this.#reads) read.markSubmitted();
    return error;
  }

  #read(rows: number, callback: ReadCallback | undefined): unknown {
    const reading = this.#readStoppably(rows);
    if (callback === undefined) return reading;
    reading.then((result) => callback(null, result, this.#cursor._result), callback);
    return undefined;
  }

  async #readStoppably(rows: number): Promise<unknown> {
    const read = new CursorRead(
      this.#ctx,
      [this.#cursor.text],
      this.#settings,
      this.#client,
      (onResult) => {
        if (this.#cursor.state !== "initialized") read.markSubmitted();
        this.#driverRead(rows, onResult);
      },
    );
    this.#reads.add(read);
    try {
      return await runStoppable(this.#ctx, read, this.#settings.stopTimeout);
    } finally {
      this.#reads.delete(read);
    }
  }

  /** Closes the cursor. If the server does not answer, destroys the connection with it. */
  #close(callback: CloseCallback | undefined): unknown {
    const done = (): void => callback?.(); // pg-cursor's own `close` never rejects
    const closing = runUnstoppableStatement(
      this.#ctx,
      this.#client,
      this.#cursor.text,
      (onClosed) => this.#closeAfterReads(onClosed),
      this.#settings.stopTimeout,
    ).then(done, done);
    return callback === undefined ? closing : undefined;
  }

  #closeAfterReads(onClosed: CloseCallback): void {
    // pg-cursor would wait for "readyForQuery". The failed read has waited for that already.
    if (this.#cursor.state === "error" && this.#reads.size === 0) {
      setImmediate(onClosed);
      return;
    }
    if (this.#reads.size > 0) {
      // pg-cursor drops the callbacks of its reads when it is closed.
      this.#client.connection.once("readyForQuery", () => {
        for (const read of this.#reads) read.resolveEmpty();
      });
    }
    this.#preventReopening();
    this.#driverClose(onClosed);
  }

  /**
   * If a cursor is closed before the server has described its rows, pg-cursor takes the description
   * for a sign that the cursor is open. It would then send a second Sync, and pg would take the
   * answer to that Sync for the answer to the next query.
   */
  #preventReopening(): void {
    const { _ifNoData, _result } = this.#cursor;
    this.#client.connection.removeListener("noData", _ifNoData);
    this.#submittable.handleRowDescription = ({ fields }) => _result.addFields(fields);
  }
}

type ReadCallback = (...args: unknown[]) => void;

/** One read of a cursor. Between two reads the server runs nothing that could be stopped. */
class CursorRead extends ClientQuery {
  readonly #send: (onResult: Callback) => void;

  constructor(
    ctx: Context,
    args: readonly [text: string],
    settings: Settings,
    client: Client,
    send: (onResult: Callback) => void,
  ) {
    super(ctx, args, settings, client);
    this.#send = send;
  }

  protected override requestConnection(): void {
    this.#send(this.onResult);
  }

  /** Records that pg has sent the cursor's query. */
  markSubmitted(): void {
    if (!this.hasEnded) this.markSent(this.client);
  }

  /** Ends a read that pg-cursor does not answer any more, because the cursor was closed. */
  resolveEmpty(): void {
    this.onResult(null, []);
  }
}
