/** What development mode does to the methods of a driver. */
import { expect, test, vi } from "vitest";
import { inDevelopment } from "../support/development.ts";
import { turn } from "../support.ts";
import { runWithContext } from "../../src/current/index.ts";
import { background, withCancel } from "../../src/index.ts";
import { reportDirectCalls } from "../../src/adapter/direct-calls.ts";

const warnings = inDevelopment();

class Pool {
  query(sql: string): string {
    return `${sql} on ${this.constructor.name}`;
  }
}

test("a method that was mocked before it is watched stays a mock, and is watched", async () => {
  const pool = new Pool();
  const spy = vi.spyOn(pool, "query");
  reportDirectCalls(pool, "toy", ["query"]);
  using ctx = withCancel(background());
  expect(runWithContext(ctx, () => pool.query("select 1"))).toBe("select 1 on Pool");
  expect(Reflect.get(pool, "query")).toHaveBeenCalledWith("select 1");
  expect(spy).toHaveBeenCalledOnce();
  await turn();
  expect(warnings.map(({ code }) => code)).toEqual(["EIGHTYSIX_WITHOUT_CONTEXT"]);
});

test("a method that is mocked afterwards is a mock, and is given back", () => {
  const pool = new Pool();
  reportDirectCalls(pool, "toy", ["query"]);
  const spy = vi.spyOn(pool, "query").mockReturnValue("mocked");
  expect(pool.query("select 1")).toBe("mocked");
  spy.mockRestore();
  expect(pool.query("select 1")).toBe("select 1 on Pool");
});

test("a driver that cannot be watched is left alone", () => {
  const refuse = { defineProperty: () => false };
  const pools = [
    Object.freeze(new Pool()),
    new Proxy(new Pool(), refuse),
    Object.create(null) as object,
    Object.defineProperty({}, "query", { get: () => undefined, configurable: true }),
  ];
  for (const pool of pools) {
    const before = Object.getOwnPropertyDescriptor(pool, "query");
    expect(() => reportDirectCalls(pool, "toy", ["query"])).not.toThrow();
    expect(Object.getOwnPropertyDescriptor(pool, "query")).toEqual(before);
  }
});
