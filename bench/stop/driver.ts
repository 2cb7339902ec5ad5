/** A driver in this benchmark. It has one file in drivers/, and a line in drivers/index.ts. */
export interface Driver {
  /** The name in the tables and in --only, such as "pg", or "mysql2@mysql" if it has several servers. */
  readonly name: string;
  /** The npm package, whose version is printed. */
  readonly package: string;
  /** Connects. If the server is missing, rejects with an error that says what to do. */
  readonly open: (servers: Servers) => Promise<Opened>;
}

/** Each method starts or finds its server at its first call; see servers.ts. */
export interface Servers {
  readonly postgres: () => Promise<string>;
  readonly mariadb: () => Promise<string>;
  readonly mysql: () => Promise<string>;
  readonly redis: () => Promise<string>;
}

export interface Opened {
  /** The name and version that the server reports, such as "PostgreSQL 18.4". */
  readonly server: string;
  /**
   * The least that a cancel costs on this server, or a text that says why there is no such figure.
   */
  readonly bare: Bare | string;
  readonly works: readonly Work[];
  readonly costs: Costs;
  readonly close: () => Promise<unknown>;
}

/**
 * A cancel that hits nothing: one round trip of the cancel request, without a driver or eightysix.
 */
export interface Bare {
  readonly what: string;
  readonly cancel: () => Promise<unknown>;
}

/** An operation that takes about `WORK` milliseconds if nothing stops it. */
export interface Work {
  /** "sleep", "CPU", "BLPOP". */
  readonly name: string;
  /**
   * Returns whether the server says that it runs this operation. The question goes over a
   * connection that nothing else uses. For an engine in this process, the operating system answers.
   */
  readonly running: () => boolean | Promise<boolean>;
  /** Only stops waiting. */
  readonly race: Way;
  /** Uses what the driver offers for the purpose. */
  readonly own?: Way | undefined;
  /** Sends the bare cancel by hand. Shows how long the server takes to end this operation. */
  readonly byHand?: Way | undefined;
  readonly ours: Way;
}

export interface Way {
  /** What is called, such as "query_timeout", for the table. */
  readonly what: string;
  readonly start: () => Attempt;
}

export interface Attempt {
  /** The promise that the caller awaits. */
  readonly answer: Promise<unknown>;
  /** Settles when the attempt no longer occupies the driver. Default: `answer`. */
  readonly over?: Promise<unknown>;
  /**
   * Aborts at once. Or the number of milliseconds after `start` at which the driver aborts by
   * itself.
   */
  readonly abort: (() => void) | number;
}

/** An operation that is never canceled, in several variants. The first is the bare driver. */
export interface Costs {
  /** The operation, such as "SELECT 1". */
  readonly what: string;
  readonly arms: readonly Arm[];
}

export interface Arm {
  readonly name: string;
  /** Runs the operation once, without checking the result. */
  readonly once: () => Promise<unknown>;
  /** Returns whether this is the right result. */
  readonly is: (answer: unknown) => boolean;
}

/** Milliseconds that an operation takes. */
export const WORK = 3_000;
/** Milliseconds between the moment when the operation is seen running and its abort. */
export const ABORT_AFTER = 100;
