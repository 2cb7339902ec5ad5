/** A connection to MySQL or MariaDB, through any driver, for as long as it is ours. */
import { shield, type Context } from "../../index.ts";
import { beginOf, RolledBackError, type TransactionOptions } from "./begin.ts";
import type { Controls } from "./kill.ts";
import { needStatement, textOf, type Arguments, type MysqlConnection } from "./driver.ts";
import type { Settings } from "../settings.ts";
import { RunningStatement, StreamStatement } from "./statement.ts";
import { isPlain, limitOf, withoutLimit } from "./server-timeout.ts";
import { Places } from "../places.ts";
import type { Session, Statement, Stream } from "../sessions.ts";
import { runStoppable } from "../stoppable.ts";
import type { TransactionSteps } from "../transaction.ts";

/** One connection. Statements run one at a time, in order, so a KILL is always meant for ours. */
export class MysqlSession implements Session<TransactionOptions> {
  readonly connection: MysqlConnection;
  readonly settings: Settings;
  readonly statements: Readonly<Record<string, Statement>>;
  readonly #name: string;
  readonly #controls: Controls;
  readonly #giveBack: () => void;
  readonly #turn = new Places(1);
  /** "over" when a statement of the caller's has ended it, "abandoned" when the server has. */
  #transaction: "none" | "open" | "over" | "abandoned" = "none";
  #leftOpen = false;
  #wasKilled = false;
  #isDestroyed = false;

  constructor(
    driver: { name: string; methods: readonly string[] },
    connection: MysqlConnection,
    controls: Controls,
    settings: Settings,
    giveBack: () => void,
  ) {
    this.#name = driver.name;
    this.connection = connection;
    this.#controls = controls;
    this.settings = settings;
    this.#giveBack = giveBack;
    const entries = driver.methods.map((method) => [
      method,
      async (ctx: Context, ...args: Arguments) => {
        needStatement(method, args);
        return await this.run(ctx, method, args);
      },
    ]);
    this.statements = Object.fromEntries(entries) as Record<string, Statement>;
  }

  /** One of the driver's methods. */
  async run(ctx: Context, method: string, args: Arguments): Promise<unknown> {
    const sql = textOf(args);
    const [limit, limited] = this.#limited(ctx, method === "query", args);
    const call = (): Promise<unknown> => this.connection.call(method, limited);
    const mayOpen = !isPlain(sql) || sql.includes(";");
    return await this.inTurn(
      ctx,
      new RunningStatement(this, this.#kind(method), sql, call, mayOpen),
    ).catch((error: unknown) => {
      withoutLimit(error, limit);
      throw error;
    });
  }

  async execute(ctx: Context, sql: string): Promise<unknown> {
    const call = (): Promise<unknown> => this.connection.execute(sql);
    return await this.inTurn(ctx, new RunningStatement(this, this.#kind("query"), sql, call));
  }

  async inTurn<T>(ctx: Context, statement: RunningStatement<T>): Promise<T> {
    await this.#turn.take(ctx);
    try {
      if (this.#transaction === "abandoned") throw new RolledBackError();
      return await runStoppable(ctx, statement, this.settings.stopTimeout);
    } finally {
      this.#turn.give();
    }
  }

  open(ctx: Context, ...args: Arguments): Stream {
    needStatement("stream", args);
    const [limit, limited] = this.#limited(ctx, true, args);
    return new StreamStatement(ctx, this, this.#kind("query"), textOf(args), (row, end) =>
      this.connection.read(limited, row, (error) => {
        withoutLimit(error, limit);
        end(error);
      }),
    );
  }

  #limited(ctx: Context, takesText: boolean, args: Arguments): [limit: string, args: Arguments] {
    const { serverTimeout, stopTimeout } = this.settings;
    // Not prepared statements, which the server and the driver know by their text.
    if (!serverTimeout || !takesText) return ["", args];
    const [sql, ...values] = args;
    const limit = limitOf(ctx, textOf(args), this.connection.version, stopTimeout);
    if (limit === "") return ["", args];
    if (typeof sql === "string") return [limit, [limit + sql, ...values]];
    return [limit, [{ ...sql, sql: limit + sql.sql }, ...values]];
  }

  #kind(method: string): string {
    return `${this.#name}.${method}`;
  }

  transactionSteps(options: TransactionOptions | undefined): TransactionSteps {
    const statements = beginOf(options);
    return {
      begin: async (ctx) => {
        for (const sql of statements) await this.execute(ctx, sql);
        this.#transaction = "open";
      },
      commit: async (ctx) => {
        await this.execute(ctx, "COMMIT");
        this.#transaction = "none";
      },
      rollback: (ctx) => this.reset(ctx),
      destroy: () => this.destroy(),
    };
  }

  /** Also takes back the isolation level of a transaction that did not begin. */
  async reset(ctx: Context): Promise<void> {
    this.#transaction = "none";
    await this.execute(ctx, "ROLLBACK");
    this.#leftOpen = false;
  }

  get isInTransaction(): boolean {
    return this.#transaction === "open";
  }

  /** A statement has succeeded, and the driver knows this. */
  saw(inTransaction: boolean | undefined): void {
    this.#leftOpen = inTransaction ?? this.#leftOpen;
    if (inTransaction === false && this.#transaction === "open") this.#transaction = "over";
  }

  sawAfterFailure(inTransaction: boolean | undefined): void {
    this.#leftOpen = inTransaction ?? this.#leftOpen;
    if (inTransaction === false && this.#transaction === "open") this.#transaction = "abandoned";
  }

  /** Rolls back what a single statement has left open. Never rejects. */
  async tidy(ctx: Context): Promise<void> {
    if (!this.#leftOpen || this.#isDestroyed) return;
    await shield(ctx, this.settings.stopTimeout, (detached) => this.reset(detached)).catch(() =>
      this.destroy(),
    );
  }

  kill(): Promise<void> {
    this.#wasKilled = true;
    return this.#controls.kill(this.connection);
  }

  /** Nobody knows what became of a KILL that was not answered: so its connection must not deliver it. */
  giveUpKill(): void {
    this.#controls.discard(this.connection);
  }

  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.connection.destroy();
  }

  end(): void {
    if (this.#wasKilled && this.settings.destroyOnCancel) this.destroy();
    this.#giveBack();
  }
}
