/** The internals of `mongodb` 7 that this adapter uses. */

export interface MongoClient {
  startSession(options: { causalConsistency: boolean }): ClientSession;
  db(name: string): { command(command: object, options: object): Promise<unknown> };
}

export interface ClientSession {
  readonly serverSession: { readonly id: unknown; lastUse: number; isDirty: boolean };
  inTransaction(): boolean;
  endSession(): Promise<void>;
}

type ReadPreference = string | { readonly mode: string };

/** A `Collection` or a `Db`, with the defaults for options that a call does not set. */
export interface CollectionOrDb {
  readonly client: MongoClient;
  readonly namespace: string;
  readonly readPreference?: ReadPreference | undefined;
  readonly writeConcern?: { readonly w?: unknown } | undefined;
}

/** The options of a call that matter here. */
export interface CallOptions {
  session?: ClientSession;
  signal?: AbortSignal;
  maxTimeMS?: number | undefined;
  readPreference?: ReadPreference;
  writeConcern?: { readonly w?: unknown };
}

export interface DriverCursor {
  next(): Promise<unknown>;
  readBufferedDocuments(): unknown[];
  close(): Promise<void>;
}
