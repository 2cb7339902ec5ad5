/** Values that an attacker, or a broken program, may put where data of another shape belongs. */

const refuse = (): never => {
  throw new Error("no");
};
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
