/** An adapter for the toy driver, written with `eightysix/adapter` alone. It can be broken on purpose. */
import {
  lease,
  RowBuffer,
  runStoppable,
  sessionMethods,
  type Operation,
  type Resolver,
  type Session,
  type StopProof,
  type Stream,
} from "../../../src/adapter/index.ts";
import {
  afterFunc,
  background,
  orDone,
  Semaphore,
  throwIfDone,
  type Context,
} from "../../../src/index.ts";
import type { Breach } from "./breaches.ts";
import { stopRequest, ToyError, type ToyConnection, type ToyPool } from "./driver.ts";

export interface ToyOptions {
  readonly stopTimeout: number;
  readonly breach?: Breach | undefined;
}

/** Arguments of `stream`. */
export interface RowsRequest {
  readonly count: number;
  readonly ms: number;
  readonly tag: string;
}

type ToySession = Session<undefined, ReturnType<typeof statements>, [RowsRequest], { n: number }>;

/** Returns the methods of a pool, with a context as their first parameter. */
export function withContext(pool: ToyPool, options: ToyOptions) {
  const take = (ctx: Context): Promise<ToySession> => openSession(ctx, pool, options);
  const command = async (ctx: Context, line: string): Promise<string> => {
    const session = await take(ctx);
    const breach = options.breach;
    try {
      const running = session.statements.command(ctx, line);
      if (!breach?.startsWith("settles when")) return await running;
      running.catch(() => undefined);
      return await orDone(ctx, running);
    } catch (error) {
      if (breach === "rejects with an error of its own" && ctx.err() !== undefined) {
        throw new Error("canceled", { cause: error });
      }
      throw error;
    } finally {
      session.end();
    }
  };
  const isCallersOwn = options.breach === "gives back a connection whose context has ended";
  const source = { take, stopTimeout: options.stopTimeout, isCallersOwn, pool };
  return { command, ...sessionMethods(source) };
}

async function openSession(ctx: Context, pool: ToyPool, options: ToyOptions): Promise<ToySession> {
  const { breach, stopTimeout } = options;
  if (breach === "sends although the context is done" && ctx.err() !== undefined) {
    const connection = await pool.take();
    await connection.send("ROLLBACK");
    pool.giveBack(connection);
  }
  const connection = await takeConnection(ctx, pool, breach);
  const turns = new Semaphore(1);
  const execute = async (ctx: Context, line: string): Promise<string> => {
    const turn = await turns.acquire(ctx);
    try {
      const statement = new Statement(ctx, line, connection, pool, breach);
      const answer = await runStoppable(
        ctx,
        statement,
        breach === "ignores the stop timeout" ? 60_000 : stopTimeout,
      );
      if (breach?.startsWith("drops a result")) throwIfDone(ctx);
      return answer;
    } finally {
      turn.release();
    }
  };
  let isInTransaction = false;
  const rollBack = async (ctx: Context): Promise<void> => {
    if (breach === "gives a connection back inside a transaction") return;
    await execute(ctx, breach === "commits instead of a rollback" ? "COMMIT" : "ROLLBACK");
    isInTransaction = false;
  };
  return {
    statements: statements(async (statementCtx, line) => {
      const isRefused = breach === "refuses a clean-up after the end of its context";
      if (isRefused) throwIfDone(ctx);
      if (line === "BEGIN") isInTransaction = true;
      return await execute(statementCtx, line);
    }),
    noSavepointsMessage: "the toy has no savepoints",
    open: (ctx, request) => openStream(ctx, request, { connection, pool, options }),
    execute,
    transactionSteps: () => ({
      begin: (ctx) => execute(ctx, "BEGIN"),
      commit: (ctx) => execute(ctx, "COMMIT"),
      rollback: rollBack,
      destroy: () => connection.destroy(),
    }),
    async reset(ctx) {
      if (isInTransaction && breach !== "leaves a transaction of connection() open") {
        await rollBack(ctx);
      }
    },
    destroy: () => connection.destroy(),
    end() {
      const isKept = breach === "keeps the place of a connection that broke";
      if (!isKept || !connection.isBroken) pool.giveBack(connection);
    },
  };
}

function statements(command: (ctx: Context, line: string) => Promise<string>) {
  return { command };
}

async function takeConnection(
  ctx: Context,
  pool: ToyPool,
  breach: Breach | undefined,
): Promise<ToyConnection> {
  if (breach === "waits for a connection without its context") {
    throwIfDone(ctx);
    const connection = await pool.take();
    if (ctx.err() !== undefined) pool.giveBack(connection);
    throwIfDone(ctx);
    return connection;
  }
  return await lease(ctx, {
    kind: "toy.wait",
    pool,
    take: () => pool.take(),
    giveBack(connection) {
      if (breach !== "keeps a connection that was granted too late") pool.giveBack(connection);
    },
  });
}

/** One command on a connection. */
class Statement implements Operation<string> {
  readonly kind: string | undefined = "toy.command";
  readonly what: string | undefined;
  readonly #line: string;
  readonly #connection: ToyConnection;
  readonly #pool: ToyPool;
  readonly #breach: Breach | undefined;
  readonly #onLine: ((line: string) => void) | undefined;
  #wasStopped = false;

  constructor(
    ctx: Context,
    line: string,
    connection: ToyConnection,
    pool: ToyPool,
    breach: Breach | undefined,
    onLine?: (line: string) => void,
  ) {
    this.what = breach === "does not say what runs" ? undefined : line;
    if (breach === "records no work") this.kind = undefined;
    this.#line = line;
    this.#connection = connection;
    this.#pool = pool;
    this.#breach = breach;
    this.#onLine = onLine;
    if (breach === "leaves a callback on the context") afterFunc(ctx, () => undefined);
    if (breach === "leaves a listener on the signal") {
      ctx.signal.addEventListener("abort", () => undefined);
    }
  }

  start(resolver: Resolver<string>): undefined {
    this.#connection.send(this.#line, this.#onLine).then(
      (answer) => resolver.resolve(answer),
      (error: unknown) => {
        const answered = error instanceof ToyError || this.#breach?.startsWith("takes a broken");
        resolver.reject(error, { answered: answered === true });
      },
    );
  }

  async stop(): Promise<StopProof> {
    this.#wasStopped = true;
    const breach = this.#breach;
    if (breach === "sends no stop") return "proven";
    if (breach === "leaves a rejection without a handler") void Promise.reject(new Error("lost"));
    const request = stopRequest(this.#pool.address, this.#connection.pid);
    if (breach === "sends a stop and does not wait for its end") request.catch(() => undefined);
    else await request;
    return "unproven";
  }

  isStop(error: unknown): boolean {
    const isStop = error instanceof ToyError && error.code === "stopped";
    return isStop || this.#breach?.startsWith("takes every error") === true;
  }

  destroy(): void {
    if (this.#breach !== "gives a connection back after the stop timeout") {
      this.#connection.destroy();
    }
  }

  release(): void {
    if (this.#breach === "throws in `release`") throw new Error("a mistake");
    if (this.#wasStopped && this.#breach?.startsWith("destroys each") === true) {
      this.#connection.destroy();
    }
  }
}

function openStream(
  ctx: Context,
  { count, ms, tag }: RowsRequest,
  on: { connection: ToyConnection; pool: ToyPool; options: ToyOptions },
): Stream<{ n: number }> {
  const { connection, pool } = on;
  const { breach, stopTimeout } = on.options;
  let isPaused = false;
  let isClosing = false;
  const next = (): void => {
    if (isPaused) connection.write(isClosing ? "CLOSE" : "NEXT");
    isPaused = false;
  };
  const rows = new RowBuffer<{ n: number }>({
    resume: next,
    close() {
      if (breach === "keeps the connection of a stream that is left early") return;
      isClosing = true;
      next();
    },
  });
  const line = `ROWS ${count} ${ms} ${Math.max(2, count / 20)} ${tag}`;
  const statement = new Statement(ctx, line, connection, pool, breach, (answer) => {
    if (answer.startsWith("ROW")) rows.push({ n: Number(answer.slice(4)) });
    else {
      isPaused = true;
      if (isClosing) next();
      else rows.pushAll([]); // a loop that waits asks again
    }
  });
  const ended = runStoppable(
    breach === "ends a stream only when its loop asks for the next row" ? background() : ctx,
    statement,
    breach === "ignores the stop timeout" ? 60_000 : stopTimeout,
  );
  ended.then(
    () => rows.end(),
    (error: unknown) => {
      if (breach === "ends a canceled stream as if it were complete") rows.end();
      else rows.fail(error);
    },
  );
  return {
    next: () => rows.next(),
    close: () => rows.close(),
    ended,
  };
}
