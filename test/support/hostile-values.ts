/** Values that an attacker, or a broken program, may put where data of another shape belongs. */

const refuse = (): never => {
  throw new Error("no");
};
/** Makes a property of `x` throw when it is read. */
const trap = (x: object, name: PropertyKey): object =>
  Object.defineProperty(x, name, { get: refuse });
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

/** Each has a name for test titles, and is made anew for each test. */
export const hostileValues: [name: string, make: () => unknown][] = [
  ["getters that throw", () => Object.defineProperty({}, "cause", { get: refuse })],
  [
    "a proxy that throws",
    () => new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse }),
  ],
  ["a function proxy", () => new Proxy(() => undefined, { get: refuse })],
  ["a revoked proxy", revoked],
  ["an object without a prototype", () => Object.create(null) as object],
  ["a toString that throws", () => ({ name: { toString: refuse }, message: { toString: refuse } })],
  ["an error whose cause throws", () => trap(new Error("x"), "cause")],
  ["an error whose stack throws", () => trap(new Error("x"), "stack")],
  ["an error whose status throws", () => trap(new Error("x"), "status")],
  [
    "an error whose cause has a cause that throws",
    () => new Error("x", { cause: trap({}, "cause") }),
  ],
  ["an object whose err() throws", () => ({ err: refuse })],
  ["an object whose err() returns nothing", () => ({ err: () => undefined })],
  ["a forged status", () => ({ [Symbol.for("eightysix.http.status")]: "200\r\nx: y" })],
  ["a forged status that is none", () => ({ [Symbol.for("eightysix.http.status")]: NaN })],
  [
    "a forged overload",
    () => ({ [Symbol.for("eightysix.http.status")]: 777, retryAfter: "1\r\nx: y" }),
  ],
  ["a forged context error", () => ({ [Symbol.for("eightysix.error")]: "x" })],
  ["a brand that throws", () => trap({}, Symbol.for("eightysix.http.status"))],
  ["a frozen object", () => Object.freeze({ status: "x" })],
  ["null", () => null],
  ["an empty string", () => ""],
  ["a symbol", () => Symbol("s")],
  ["a bigint", () => 1n],
  ["what JSON has not", () => ({ code: Infinity, cause: NaN })],
  ["undefined", () => undefined],
  ["a class", () => Map],
  [
    "a cycle",
    () => {
      const error = { cause: undefined as unknown };
      error.cause = error;
      return error;
    },
  ],
  [
    "an endless chain",
    () => {
      const error: object = Object.defineProperty({}, "cause", {
        get: () => Object.create(error) as object,
      });
      return error;
    },
  ],
];
