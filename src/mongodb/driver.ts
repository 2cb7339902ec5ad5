/** The inside of `mongodb` 7, as far as it is used. */

export interface Client {
  startSession(options: { causalConsistency: boolean }): Session;
  db(name: string): { command(command: object, options: object): Promise<unknown> };
}

export interface Session {
  readonly serverSession: { readonly id: unknown; lastUse: number; isDirty: boolean };
  inTransaction(): boolean;
  endSession(): Promise<void>;
}

type ReadPreference = string | { readonly mode: string };

/** What calls are made on, and what it says where they say nothing. */
export interface Target {
  readonly client: Client;
  readonly namespace: string;
  readonly readPreference?: ReadPreference | undefined;
  readonly writeConcern?: { readonly w?: unknown } | undefined;
}

/** The options that matter here. */
export interface Options {
  session?: Session;
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
