/** How a transaction begins in MySQL and MariaDB. */
import { isolationLevel, needNoMore } from "../isolation.ts";
import type { TransactionOptions } from "./types.ts";

/** Returns the statements that begin a transaction. Throws a TypeError for a wrong option. */
export function beginStatements(options: TransactionOptions = {}): readonly string[] {
  const { isolation, readOnly, ...unknown } = options;
  needNoMore(unknown, "isolation, readOnly");
  const statements: string[] = [];
  if (isolation !== undefined) statements.push(`SET TRANSACTION ${isolationLevel(isolation)}`);
  const mode = readOnly === undefined ? "" : readOnly ? " READ ONLY" : " READ WRITE";
  return [...statements, `START TRANSACTION${mode}`];
}
