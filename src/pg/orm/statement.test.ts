import { expect, test } from "vitest";
import { statementOf } from "./statement.ts";

test.each([
  ["rollback", "rollback"],
  ["ROLLBACK;", "rollback"],
  ["  \n rollback to savepoint sp1", "rollback"],
  ["abort", "rollback"],
  ["/* tracer */ -- and more\n ROLLBACK TO SAVEPOINT a", "rollback"],
  ["commit", "commit"],
  ["COMMIT;", "commit"],
  ["end", "commit"],
  ["commit/* x */", "commit"],
  ["commit and chain", "commit"],
  ["commit prepared 'x'", "other"],
  ["rollback prepared 'x'", "other"],
  ["committee", "other"],
  ["begin isolation level serializable", "begin"],
  ["START TRANSACTION", "begin"],
  ["savepoint a", "savepoint"],
  ["RELEASE SAVEPOINT a", "savepoint"],
  ["select 'rollback'", "other"],
  ["-- rollback\nselect 1", "other"],
  ["/* rollback", "other"],
  ["", "other"],
  [undefined, "other"],
])("%s is %s", (text, statement) => {
  expect(statementOf(text)).toBe(statement);
});

test("a long comment takes no long time", () => {
  const before = performance.now();
  statementOf(`${"/* x */ ".repeat(20_000)}select 1`);
  statementOf(`${" ".repeat(100_000)}select 1`);
  statementOf("--\n".repeat(50_000));
  statementOf(`/*${"*".repeat(100_000)}`);
  statementOf("/*".repeat(50_000));
  expect(performance.now() - before).toBeLessThan(2_000);
});
