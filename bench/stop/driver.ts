/** What a driver is to this benchmark: one file in drivers/, and a line in drivers/index.ts. */
export interface Driver {
  /** As in the tables, and in --only. */
  readonly name: string;
  /** The npm package, for its version. */
  readonly package: string;
  /** Connects. Rejects, saying what to do, where its server is missing. */
  readonly open: (servers: Servers) => Promise<Opened>;
}

/** Each starts or finds its server when it is first asked for; see servers.ts. */
export interface Servers {
  readonly postgres: () => Promise<string>;
  readonly mariadb: () => Promise<string>;
  readonly redis: () => Promise<string>;
}

export interface Opened {
  /** "PostgreSQL 18.4", in the server's own words. */
  readonly server: string;
  /** The least that a cancel costs on this server; a text where there is no such thing. */
  readonly bare: Bare | string;
  readonly works: readonly Work[];
  readonly costs: Costs;
  readonly close: () => Promise<unknown>;
}

/** A cancel of nothing: one round trip of what cancels, without a driver's or our part. */
export interface Bare {
  readonly what: string;
  readonly cancel: () => Promise<unknown>;
}

/** Something that takes about `WORK` milliseconds if nobody stops it. */
export interface Work {
  /** "sleep", "CPU", "BLPOP". */
  readonly name: string;
  /**
   * The server's own word on whether it is doing this work, asked over a connection that nothing
   * else uses; or what the operating system says of an engine in this process.
   */
  readonly running: () => boolean | Promise<boolean>;
  /** Gives up waiting, and that is all. */
  readonly race: Way;
  /** What the driver has for it. */
  readonly own?: Way | undefined;
  readonly ours: Way;
}

export interface Way {
  /** What is called, for the table: "query_timeout". */
  readonly what: string;
  readonly start: () => Attempt;
}

export interface Attempt {
  /** What the caller awaits. */
  readonly answer: Promise<unknown>;
  /** Settles when nothing of it occupies the driver any more. Default: `answer`. */
  readonly over?: Promise<unknown>;
  /** Aborts at once; or the number of milliseconds after `start` at which the driver will. */
  readonly abort: (() => void) | number;
}

/** An operation that nobody cancels, done in several ways. The first is the bare driver. */
export interface Costs {
  /** "SELECT 1". */
  readonly what: string;
  readonly arms: readonly Arm[];
}

export interface Arm {
  readonly name: string;
  /** Does it once, and checks nothing: what it resolves with is checked by `is`. */
  readonly once: () => Promise<unknown>;
  /** Whether this is the right answer. */
  readonly is: (answer: unknown) => boolean;
}

/** How long a work takes, and when it is aborted after it was seen running, in milliseconds. */
export const WORK = 3_000;
export const ABORT_AFTER = 100;
