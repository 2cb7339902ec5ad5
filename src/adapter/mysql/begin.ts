/** How a transaction begins in MySQL and MariaDB. */
import { checkOptions } from "../../internal.ts";
import { isolationLevel } from "../isolation.ts";
import type { TransactionOptions } from "./types.ts";

/** Returns the statements that begin a transaction. Throws a TypeError for a wrong option. */
export function beginStatements(options: TransactionOptions = {}): readonly string[] {
  checkOptions(options, "transaction", ["isolation", "readOnly"]);
  const { isolation, readOnly } = options;
  const statements: string[] = [];
  if (isolation !== undefined) statements.push(`SET TRANSACTION ${isolationLevel(isolation)}`);
  const mode = readOnly === undefined ? "" : readOnly ? " READ ONLY" : " READ WRITE";
  return [...statements, `START TRANSACTION${mode}`];
}
