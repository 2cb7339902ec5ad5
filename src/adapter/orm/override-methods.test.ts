import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { overrideMethods } from "./override-methods.ts";

class Driver extends EventEmitter {
  readonly #secret = 42;
  static readonly Other = EventEmitter;
  readonly Client = Driver.Other;
  options = { max: 1 };
  query(text: string): string {
    return `driver: ${text}`;
  }
  secret(): number {
    return this.#secret;
  }
  self(): this {
    return this;
  }
  get size(): number {
    return this.#secret;
  }
}

test("the overridden methods are called, and their results are returned", () => {
  const driver = new Driver();
  const bound = overrideMethods(driver, { query: (text: string) => `bound: ${text}` });
  expect(bound.query("a")).toBe("bound: a");
  expect(driver.query("a")).toBe("driver: a");
});

test("everything else is the driver's own: methods, getters, properties, classes, events", () => {
  const driver = new Driver();
  const bound = overrideMethods(driver, {});
  expect(bound).toBeInstanceOf(Driver);
  expect(bound.constructor).toBe(Driver);
  expect(bound.Client).toBe(Driver.Other);
  expect(new bound.Client()).toBeInstanceOf(Driver.Other);
  expect(bound.secret()).toBe(42); // a proxy has no private fields
  expect(bound.size).toBe(42);
  bound.options = { max: 2 };
  expect(driver.options).toEqual({ max: 2 });
  const events: unknown[] = [];
  bound.on("acquire", (it) => events.push(it));
  driver.emit("acquire", 1);
  expect(events).toEqual([1]);
});

test("a method that returns the driver returns the proxy", () => {
  const bound = overrideMethods(new Driver(), { query: () => "bound" });
  expect(bound.self()).toBe(bound);
  expect(bound.on("x", () => undefined).query("a")).toBe("bound");
});
