import { expect, test } from "vitest";
import { hasSeveralStatements, transactionCommandOf } from "./transaction-command.ts";

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
  ["set transaction isolation level serializable", "begin"],
  ["set session transaction isolation level serializable", "other"],
  ["set transactions = 1", "other"],
  ["savepoint a", "savepoint"],
  ["RELEASE SAVEPOINT a", "savepoint"],
  ["select 'rollback'", "other"],
  ["-- rollback\nselect 1", "other"],
  ["-- rollback", "other"],
  ["/* rollback", "other"],
  ["", "other"],
  [undefined, "other"],
])("the statement %j is classified as %j", (text, command) => {
  expect(transactionCommandOf(text)).toBe(command);
});

test.each([
  ["rollback", false],
  ["rollback;", false],
  ["/* a; b */ rollback", false],
  ["-- a; b\nrollback ; -- the end", false],
  ["rollback; /* traced */ \n", false],
  ["rollback; select 1", true],
  ["rollback;--\nselect 1", true],
  ["begin; rollback;", true],
  ["", false],
  [undefined, false],
])("the text %j has several statements: %j", (text, isTrue) => {
  expect(hasSeveralStatements(text)).toBe(isTrue);
});

test("classifying a statement after 100,000 characters of comments or spaces takes less than two seconds", () => {
  const before = performance.now();
  transactionCommandOf(`${"/* x */ ".repeat(20_000)}select 1`);
  transactionCommandOf(`${" ".repeat(100_000)}select 1`);
  transactionCommandOf("--\n".repeat(50_000));
  transactionCommandOf(`/*${"*".repeat(100_000)}`);
  transactionCommandOf("/*".repeat(50_000));
  hasSeveralStatements(`;${"/* x */ ".repeat(20_000)}${"--\n".repeat(50_000)}`);
  expect(performance.now() - before).toBeLessThan(2_000);
});
