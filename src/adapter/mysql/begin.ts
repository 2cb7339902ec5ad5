/** How transactions begin in MySQL and MariaDB, and how they can be lost. */
import { isolationLevel, needNoMore, type IsolationLevel } from "../isolation.ts";
import { NothingCommittedError } from "../transaction.ts";

/** As in SQL; what is left out is the server's default. */
export interface TransactionOptions {
  /** Costs a round trip of its own: the server takes it in a statement of its own. */
  isolation?: IsolationLevel;
  readOnly?: boolean;
}

/** The statements that begin it. Throws a TypeError for unknown options. */
export function beginOf(options: TransactionOptions = {}): readonly string[] {
  const { isolation, readOnly, ...unknown } = options;
  needNoMore(unknown, "isolation, readOnly");
  const statements: string[] = [];
  if (isolation !== undefined) statements.push(`SET TRANSACTION ${isolationLevel(isolation)}`);
  const mode = readOnly === undefined ? "" : readOnly ? " READ ONLY" : " READ WRITE";
  return [...statements, `START TRANSACTION${mode}`];
}

/**
 * A deadlock (and with some settings a lock that was waited for in vain) rolls the whole transaction
 * back on the server. Whatever came next would be outside it, and stay.
 */
export class RolledBackError extends NothingCommittedError {
  constructor() {
    super();
    this.message =
      "the server has rolled this transaction back, because a statement of it had failed, as in a deadlock; let that statement's error leave the function that transaction() runs";
  }
}
