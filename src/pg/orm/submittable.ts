/**
 * What pg lets others submit in place of SQL: `pg.Query` objects, pg-cursor, pg-query-stream. They
 * are the caller's, with an end of their own, so they are watched and not wrapped.
 */
import type { Context } from "../../index.ts";
import { runStoppable } from "../../adapter/stoppable.ts";
import type { Callback, Client, Connection } from "../driver.ts";
import type { Settings } from "../../adapter/settings.ts";
import { RunningQuery } from "../running-query.ts";
import { destroyClient, isAnswer, runUnstoppable } from "../unstoppable.ts";

export interface Submittable {
  readonly text?: unknown;
  submit(connection: Connection): Error | null | undefined;
  handleError(error: Error, connection: Connection): void;
  handleReadyForQuery(connection: Connection): void;
  handleRowDescription?(message: { fields: unknown }): void;
  callback?: unknown;
  /** Of a pg-query-stream. */
  readonly cursor?: unknown;
}

/** The inside of pg-cursor. */
interface Cursor {
  readonly text: string;
  readonly state: "initialized" | "submitted" | "idle" | "busy" | "done" | "error";
  readonly _result: { addFields(fields: unknown): void };
  readonly _ifNoData: () => void;
  read(rows: number, callback: Callback): void;
  close(callback: (error?: Error) => void): void;
}

/** Makes what `submittable` does on `client` belong to `ctx`. The caller then submits it. */
export function watch(
  ctx: Context,
  client: Client,
  submittable: Submittable,
  settings: Settings,
): void {
  const cursor = cursorOf(submittable);
  if (cursor === undefined) new WatchedQuery(ctx, client, submittable, settings).begin();
  else watchCursor(ctx, client, submittable, cursor, settings);
}

function cursorOf(submittable: Submittable): Cursor | undefined {
  for (const it of [submittable, submittable.cursor] as Partial<Cursor & Submittable>[]) {
    if (typeof it?.read === "function" && typeof it.close === "function" && "state" in it) {
      return it as Cursor;
    }
  }
  return undefined;
}

abstract class Watched extends RunningQuery {
  protected readonly client: Client;

  constructor(ctx: Context, text: string, client: Client, settings: Settings) {
    super(ctx, [text], settings);
    this.client = client;
  }

  protected override giveBack(): void {
    if (this.canceled && this.settings.destroyOnCancel) this.destroyConnection();
  }

  override destroyConnection(): void {
    destroyClient(this.client);
  }
}

/**
 * Anything that is not a cursor. It learns its own end at once, and not when the cancel request is
 * over, because it may have to answer the server; what the client sends after it waits until then.
 */
class WatchedQuery extends Watched {
  readonly #query: Submittable;

  constructor(ctx: Context, client: Client, query: Submittable, settings: Settings) {
    super(ctx, typeof query.text === "string" ? query.text : "", client, settings);
    this.#query = query;
  }

  begin(): void {
    const query = this.#query;
    const submit = query.submit.bind(query);
    const handleError = query.handleError.bind(query);
    const handleReadyForQuery = query.handleReadyForQuery.bind(query);
    query.submit = (connection) => {
      const err = this.ctx.err();
      if (err !== undefined) return err;
      this.sentTo(this.client);
      return submit(connection);
    };
    query.handleError = (error, connection) => {
      const ours = this.canceled && (this.isStop(error) || !isAnswer(error));
      handleError(ours ? (this.ctx.err() ?? error) : error, connection);
      this.answer(error);
    };
    query.handleReadyForQuery = (connection) => {
      handleReadyForQuery(connection);
      this.answer(null);
    };
    runStoppable(this.ctx, this, this.settings.stopTimeout).catch(() => undefined);
  }

  protected override obtain(): void {
    // The caller submits it.
  }
}

/** One read of a cursor: between two of them the server does nothing that could be stopped. */
class CursorRead extends Watched {
  readonly #send: (answer: Callback) => void;

  constructor(
    ctx: Context,
    text: string,
    client: Client,
    settings: Settings,
    send: (answer: Callback) => void,
  ) {
    super(ctx, text, client, settings);
    this.#send = send;
  }

  protected override obtain(): void {
    this.#send(this.answer);
  }

  /** The cursor has its turn on the connection. */
  submitted(): void {
    if (!this.hasLeft) this.sentTo(this.client);
  }

  /** It was closed meanwhile, and does not answer this read any more. */
  abandon(): void {
    this.answer(null, []);
  }
}

function watchCursor(
  ctx: Context,
  client: Client,
  submittable: Submittable,
  cursor: Cursor,
  settings: Settings,
): void {
  const { stopTimeout } = settings;
  const read = cursor.read.bind(cursor);
  const close = cursor.close.bind(cursor);
  const submit = submittable.submit.bind(submittable);
  const reads = new Set<CursorRead>();

  submittable.submit = (connection) => {
    const err = ctx.err();
    if (err !== undefined) return err;
    const error = submit(connection);
    for (const each of reads) each.submitted();
    return error;
  };

  const readStoppably = async (rows: number): Promise<unknown> => {
    const reading = new CursorRead(ctx, cursor.text, client, settings, (answer) => {
      if (cursor.state !== "initialized") reading.submitted();
      read(rows, answer);
    });
    reads.add(reading);
    try {
      return await runStoppable(ctx, reading, stopTimeout);
    } finally {
      reads.delete(reading);
    }
  };
  const newRead = (rows: number, callback?: (...args: unknown[]) => void): unknown => {
    const reading = readStoppably(rows);
    if (callback === undefined) return reading;
    reading.then((all) => callback(null, all, cursor._result), callback);
    return undefined;
  };

  // A cursor that is closed before its rows are described would think itself open again, send Sync
  // once more, and the answer to that would pass for the answer to the next query.
  const stayClosed = (): void => {
    client.connection.removeListener("noData", cursor._ifNoData);
    submittable.handleRowDescription = ({ fields }) => cursor._result.addFields(fields);
  };

  const closed = (callback: (error?: Error) => void): void => {
    // pg-cursor would wait for the server to be ready, and it is: the failed read has waited.
    if (cursor.state === "error" && reads.size === 0) setImmediate(callback);
    else {
      // pg-cursor forgets its reads then.
      const abandon = (): void => {
        for (const each of reads) each.abandon();
      };
      if (reads.size > 0) client.connection.once("readyForQuery", abandon);
      stayClosed();
      close(callback);
    }
  };
  const newClose = (callback?: (error?: Error) => void): unknown => {
    // Closed it is in any case, as pg-cursor's never rejects: at worst with its connection.
    const over = (): void => callback?.();
    const closing = runUnstoppable(ctx, client, cursor.text, closed, stopTimeout).then(over, over);
    return callback === undefined ? closing : undefined;
  };
  Object.assign(cursor, { read: newRead, close: newClose });
}
