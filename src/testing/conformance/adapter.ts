/** What the kit is told about an adapter, so that it can hold the adapter to the stopping protocol. */
import type { Context } from "../../index.ts";
import type { Bytes, Split } from "./messages.ts";
import type { RaceResult } from "./race.ts";
import type { Address } from "./relayed.ts";

/** What one operation does on the server. */
export interface Task {
  /** What the operation resolves with. Send it to the server and back, so that a foreign answer shows. */
  readonly i: number;
  /** Milliseconds that the server works. */
  readonly ms: number;
  /** A text by which `isRunning` finds the operation on the server. It is a word without quotes. */
  readonly tag: string;
}

/** What a stream delivers: the numbers from 1 to `count`. */
export interface StreamTask {
  readonly count: number;
  /** Milliseconds that the server works before each row. */
  readonly ms: number;
  readonly tag: string;
}

/** Where and how an adapter connects. */
export interface OpenOptions extends Address {
  /** How many connections the pool has at most. */
  readonly connections: number;
  /** The option `stopTimeout` of the adapter, in milliseconds. */
  readonly stopTimeout: number;
}

/** An adapter that is connected. */
export interface OpenedAdapter<Db> {
  readonly db: Db;
  /** Closes all connections. Resolves when they are closed. */
  close(): PromiseLike<unknown>;
  /** The numbers of the driver's pool, if it has one and tells them. */
  readonly pool?:
    | {
        /** How many connections exist. */
        total(): number;
        /** How many of them are free. */
        idle(): number;
        /** How many callers wait for a connection. */
        waiting(): number;
      }
    | undefined;
  /** Asks the server how many connections of this pool are inside a transaction and run nothing. */
  openTransactions?(): PromiseLike<number> | number;
}

/** What the function of `connection` can do there, with the object that the adapter passes to it. */
export interface ConnectionUnderTest {
  /** Runs one operation there, as `AdapterUnderTest.run` does. */
  run(ctx: Context, task: Task): PromiseLike<unknown>;
  /** Begins a transaction by a plain statement, and leaves it open. */
  begin?(ctx: Context): PromiseLike<unknown>;
  /** Writes a number into the table that `committed` reads. */
  write?(ctx: Context, n: number): PromiseLike<unknown>;
}

/** What the function of a transaction can do there, with the object that the adapter passes to it. */
export interface TransactionUnderTest {
  /** Runs one operation there, as `AdapterUnderTest.run` does. */
  run(ctx: Context, task: Task): PromiseLike<unknown>;
  /** Writes a number into the table that `committed` reads. */
  write(ctx: Context, n: number): PromiseLike<unknown>;
  /** Runs a nested transaction, if the database has savepoints. */
  nested?(ctx: Context, fn: (inner: TransactionUnderTest) => Promise<void>): PromiseLike<unknown>;
}

/**
 * An adapter, its driver and a server, described for the tests. The methods must not catch errors of
 * the adapter. What an adapter cannot do is left out, and the kit reports what it does not test.
 *
 * `Db` is what `open` returns as `db`, and what the other methods are called with.
 */
export interface AdapterUnderTest<Db> {
  /** The adapter's name for the titles, such as "eightysix/pg". */
  readonly name: string;
  /**
   * The server that the adapter connects to through the relay of the kit, or a function that returns
   * it when the tests run. Leave it out for an engine inside the process.
   */
  readonly server?: Address | (() => Address | PromiseLike<Address>);
  /** Connects to the address, and only to that one. Called for each test. */
  open(options: OpenOptions): OpenedAdapter<Db> | PromiseLike<OpenedAdapter<Db>>;
  /** Runs the plainest operation: it works for `task.ms` milliseconds and resolves with `task.i`. */
  run(db: NoInfer<Db>, ctx: Context, task: Task): PromiseLike<unknown>;
  /** Runs an operation that is as short as possible and resolves with `i`. */
  quick(db: NoInfer<Db>, ctx: Context, i: number): PromiseLike<unknown>;
  /** Asks the server, over a connection of its own, whether it runs an operation with this tag. */
  isRunning(tag: string): PromiseLike<boolean> | boolean;

  /**
   * Returns whether the client sends these bytes to stop an operation: PostgreSQL's CancelRequest, or
   * "KILL QUERY". Without it, the kit cannot hold back, drop or break a stop.
   */
  isStopRequest?(bytes: Bytes): boolean;
  /** Splits the protocol into messages, so that each is a step. Without it, each chunk is a step. */
  readonly split?: Split;
  /** Runs an operation that fails with an error of the server. */
  fail?(db: NoInfer<Db>, ctx: Context): PromiseLike<unknown>;
  /** Returns whether this is the error of `fail`, unchanged. */
  isFailure?(error: unknown): boolean;

  /** Runs `fn` in a transaction. */
  transaction?(
    db: NoInfer<Db>,
    ctx: Context,
    fn: (tx: TransactionUnderTest) => Promise<unknown>,
  ): PromiseLike<unknown>;
  /** Reads, over a connection of its own, the numbers that transactions have committed, and removes them. */
  committed?(): PromiseLike<readonly number[]>;
  /** Runs `fn` with a connection that nothing else uses. */
  connection?(
    db: NoInfer<Db>,
    ctx: Context,
    fn: (own: ConnectionUnderTest) => Promise<unknown>,
  ): PromiseLike<unknown>;
  /**
   * Returns the numbers from 1 to `task.count`, or rows whose `n` is that number. Return what the adapter
   * returns and not a generator around it, because the tests call its own `return` too.
   */
  stream?(
    db: NoInfer<Db>,
    ctx: Context,
    task: StreamTask,
  ): AsyncIterable<number | { readonly n: number }>;
  /**
   * More ways to run an operation, by name: a prepared statement, an object that an ORM uses. Write
   * functions here. From a call that returns one, TypeScript infers `unknown` for `Db`.
   */
  readonly forms?: Readonly<
    Record<string, (db: NoInfer<Db>, ctx: Context, task: Task) => PromiseLike<unknown>>
  >;

  /** What the adapter documents, where the protocol lets it choose. */
  readonly documented?: Documented;
}

/** What an adapter documents, where the protocol lets it choose. */
export interface Documented {
  /**
   * What happens to a connection after a stop. "reuse", the default: it is used again. "auto": it is
   * used again if the stop was proven, and closed otherwise. "destroy": it is closed.
   */
  readonly afterStop?: "reuse" | "auto" | "destroy";
  /**
   * What happens to the connection of a function of `connection` whose context has ended. The default
   * is "close". "keep" is for connections of the caller's own, which no other caller gets.
   */
  readonly afterConnection?: "close" | "keep";
  /**
   * What happens to a result that arrives after a stop was sent, and before the stop has ended. The
   * default is "returned". "dropped" is for results that a stop can change: the operation then rejects
   * with the error of its context.
   */
  readonly lateResults?: "returned" | "dropped";
  /** What receipts say of an operation that was asked to stop. The default is "stopped". */
  readonly receipts?: "stopped" | "abandoned";
  /** Whether an operation waits while `connections` others run. The default is true. */
  readonly waits?: boolean;
  /**
   * Whether all operations share one connection that reconnects, so that an operation neither destroys it
   * nor fails with it. The default is false.
   */
  readonly shared?: boolean;
}

/** Settings of a test run. */
export interface ConformanceOptions {
  /** Milliseconds that each test may take. The default is 10,000. The race has ten times as much. */
  timeLimit?: number;
  /** How many contexts the race cancels. The default is 500. */
  cancels?: number;
  /** The seed of the race. The default is 86. A failure names it. */
  seed?: number;
  /** Called with the counts of each race before they are checked, so that a failed race counts too. */
  onRace?: (result: RaceResult) => void;
}
