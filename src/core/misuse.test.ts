/** Misuse explains itself: what was passed, and what to do. */
import { describe, expect, test } from "vitest";
import * as eightysix from "../index.ts";
import { background, withCancel } from "../index.ts";

// What JavaScript lets people do.
type Anything = (...args: unknown[]) => unknown;
const api = eightysix as unknown as Record<string, Anything>;
const call = async (name: string, ...args: unknown[]): Promise<unknown> => api[name]?.(...args);

const bg = background();
const needContext = [
  ...["withCancel", "withTimeout", "withDeadline", "withValue", "withoutCancel", "withSignal"],
  ...["merge", "cause", "throwIfDone", "remaining", "hasBudget", "endedHere", "afterFunc"],
  ...["startWork", "stopped", "withLedger", "working", "all", "checkpoint", "orDone", "sleep"],
  ...["shield", "within"],
];

describe.each(needContext)("%s", (name) => {
  test.each([undefined, null])("without a context (%s) says so", async (nil) => {
    await expect(call(name, nil, 1, () => 1)).rejects.toThrow(
      new RegExp(`^cannot create context from nil parent: ${name} got ${String(nil)} .*; pass `),
    );
    await expect(call(name, nil, 1, () => 1)).rejects.toThrow(TypeError);
  });

  test.each([
    [1000, "number 1000"],
    ["ctx", 'the string "ctx"'],
    [{ err: () => undefined }, "an object of class Object"],
    [() => undefined, "a function"],
  ])("with something else (%s) says what it got", async (x, shown) => {
    await expect(call(name, x, 1, () => 1)).rejects.toThrow(
      `${name} needs a Context as its first argument, got ${shown}; pass the caller's ctx`,
    );
  });

  test("with a signal says what to do with it", async () => {
    await expect(call(name, new AbortController().signal)).rejects.toThrow(
      "got an object of class AbortSignal; for a signal, use withSignal(background(), signal)",
    );
  });
});

const task = Promise.resolve();
test.each([
  ["withValue", [bg], TypeError, "nil key: withValue needs a key made by key(), got undefined"],
  ["withValue", [bg, null, 1], TypeError, "nil key: "],
  [
    "withValue",
    [bg, "id", 1],
    TypeError,
    'made by key(), got the string "id"; write const K = key<T>("name")',
  ],
  ["key", [], TypeError, "key() takes a name for messages, got undefined; pass a string"],
  [
    "withTimeout",
    [bg, "5s"],
    TypeError,
    'takes a duration in milliseconds, got the string "5s"; pass a number',
  ],
  [
    "withTimeout",
    [bg],
    TypeError,
    "takes a duration in milliseconds, got undefined; pass a number",
  ],
  [
    "withTimeout",
    [bg, NaN],
    RangeError,
    "got NaN for a duration in milliseconds; pass a number, or Infinity for none",
  ],
  ["withTimeout", [bg, 5n], TypeError, "got bigint 5; pass a number"],
  [
    "withDeadline",
    [bg, "2030"],
    TypeError,
    'takes a Date or epoch milliseconds, got the string "2030"; pass new Date(',
  ],
  ["withDeadline", [bg, new Date("x")], RangeError, "got an invalid Date; pass a Date"],
  ["withDeadline", [bg, NaN], RangeError, "got NaN; pass a Date"],
  [
    "withSignal",
    [bg, bg],
    TypeError,
    "withSignal takes AbortSignals after its parent, got an object of class RootContext; pass controller.signal",
  ],
  [
    "withSignal",
    [bg, new AbortController()],
    TypeError,
    "got an object of class AbortController; pass controller.signal",
  ],
  ["merge", [bg, undefined], TypeError, "merge got undefined"],
  ["hasBudget", [bg, "1"], TypeError, "hasBudget takes a duration in milliseconds"],
  [
    "afterFunc",
    [bg],
    TypeError,
    "afterFunc takes a function, got undefined; pass what to run when ctx is done",
  ],
  ["sleep", [bg, "1"], TypeError, "sleep takes a duration in milliseconds"],
  ["sleep", [bg, NaN], RangeError, "sleep got NaN"],
  [
    "all",
    [bg, task],
    TypeError,
    "all takes an array of functions, got an object of class Promise; pass [(ctx) => …",
  ],
  [
    "all",
    [bg, [task]],
    TypeError,
    "all takes a function, got an object of class Promise; pass tasks that are yet to start: (ctx) => …",
  ],
  ["all", [bg, [], { limit: 0 }], RangeError, "all takes a limit of at least 1, got number 0"],
  ["all", [bg, [], { limit: NaN }], RangeError, "all takes a limit of at least 1, got number NaN"],
  [
    "orDone",
    [bg, () => task],
    TypeError,
    "orDone takes a promise or an async iterable, got a function; call the function first",
  ],
  ["orDone", [bg, undefined], TypeError, "got undefined"],
  ["within", [bg, 10], TypeError, "within takes a function, got undefined; pass what to run"],
  ["shield", [bg, Infinity, () => 1], RangeError, "shield needs a finite budget in milliseconds"],
  ["startWork", [bg], TypeError, 'startWork takes a kind such as "pg.query", got undefined'],
] as const)("%s(…): %#", async (name, args, Class, message) => {
  const error: unknown = await call(name, ...args).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(Class);
  expect((error as Error).message).toContain(message);
});

test("cancel without its context says how to pass it on", () => {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- the mistake in question
  const { cancel } = withCancel(bg);
  const mistake = "cancel() was called without its context; pass () => ctx.cancel() instead";
  expect(() => cancel()).toThrow(mistake);
  expect(() => cancel.call({} as never)).toThrow(mistake);
});

test("value() with no key, or a string, says so", () => {
  const { value } = { value: bg.value.bind(bg) as Anything };
  expect(() => value(undefined)).toThrow("nil key: value needs a key made by key(), got undefined");
  expect(() => value("id")).toThrow('value needs a key made by key(), got the string "id"');
});
