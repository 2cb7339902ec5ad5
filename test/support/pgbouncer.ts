/** Runs tests that start their own PgBouncer. They are skipped if PgBouncer is not installed. */
import { describe, test } from "vitest";
import { pgbouncerMissing } from "../../servers/pgbouncer.ts";

const missing = pgbouncerMissing() !== undefined;

export const testPgbouncer = test.skipIf(missing);
export const describePgbouncer = describe.skipIf(missing);
