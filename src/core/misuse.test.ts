/** Every error for a wrong argument says what was passed and what to do. */
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { describe, expect, test } from "vitest";
import * as eightysix from "../index.ts";
import { background, withCancel } from "../index.ts";

// JavaScript accepts any arguments.
type Anything = (...args: unknown[]) => unknown;
const api = eightysix as unknown as Record<string, Anything>;
const call = async (name: string, ...args: unknown[]): Promise<unknown> => api[name]?.(...args);

const bg = background();
const needContext = [
  ...["withCancel", "withTimeout", "withDeadline", "withValue", "withoutCancel", "withSignal"],
  ...["merge", "cause", "throwIfDone", "remaining", "hasBudget", "endedHere", "afterFunc"],
  ...["startWork", "stopped", "withLedger", "working", "all", "checkpoint", "orDone", "sleep"],
  ...[
    "shield",
    "within",
    "detach",
    "group",
    "allSettled",
    "map",
    "race",
    "any",
    "hedge",
    "interval",
  ],
];

describe.each(needContext)("%s", (name) => {
  test.each([undefined, null])("rejects %s in place of a context and says so", async (nil) => {
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
  ])("rejects another value (%s) in place of a context and says what it got", async (x, shown) => {
    await expect(call(name, x, 1, () => 1)).rejects.toThrow(
      `${name} needs a Context as its first argument, got ${shown}; pass the caller's ctx`,
    );
  });

  test("rejects a signal in place of a context and names withSignal", async () => {
    await expect(call(name, new AbortController().signal)).rejects.toThrow(
      "got an object of class AbortSignal; for a signal, use withSignal(background(), signal)",
    );
  });
});

describe("a function that is passed something other than a context says what to pass", () => {
  const message = (x: unknown): string => {
    try {
      withCancel(x as never);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  test("in place of a request of node:http", () => {
    const req = new IncomingMessage(new Socket());
    expect(message(req)).toBe(
      'withCancel needs a Context as its first argument, got an object of class IncomingMessage; for a request, pass req.ctx, or requestContext(req) from "eightysix/http"',
    );
  });

  test("in place of a Koa context", () => {
    const koa = new Koa();
    const req = new IncomingMessage(new Socket());
    expect(message(koa.createContext(req, {} as never))).toContain(
      "; for a Koa context, pass ctx.context",
    );
  });

  test("in place of a Hono context", async () => {
    const app = new Hono().get("/", (c) => c.text(message(c)));
    const response = await app.request("/");
    expect(await response.text()).toContain("; for a Hono context, pass c.var.ctx");
  });

  test("in place of a Fastify request", async () => {
    const app = fastify().get("/", (request) => message(request));
    const { body } = await app.inject("/");
    expect(body).toContain("; for a Fastify request, pass request.ctx");
  });

  test("in place of a web Request", () => {
    expect(message(new Request("http://localhost"))).toContain(
      '; for a Request, use handler((ctx, request) => …) from "eightysix/web"',
    );
  });

  test("in place of an AbortController", () => {
    expect(message(new AbortController())).toContain(
      "; for an AbortController, use withSignal(background(), controller.signal)",
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
  [
    "key",
    [],
    TypeError,
    "key takes a name, got undefined; pass a string, which appears in messages and logs",
  ],
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
    "afterFunc takes a function, got undefined; pass a function to call when ctx is done",
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
    "all takes a function, got an object of class Promise; pass functions that start the tasks: (ctx) => …",
  ],
  [
    "all",
    [bg, [], { limit: 0 }],
    RangeError,
    "all takes as its limit a whole number of at least 1, got number 0",
  ],
  [
    "all",
    [bg, [], { limit: NaN }],
    RangeError,
    "all takes as its limit a whole number of at least 1, got number NaN",
  ],
  [
    "orDone",
    [bg, () => task],
    TypeError,
    "orDone takes a promise or an async iterable, got a function; call the function and pass what it returns",
  ],
  ["orDone", [bg, undefined], TypeError, "got undefined"],
  ["within", [bg, 10], TypeError, "within takes a function, got undefined; pass a function to run"],
  ["shield", [bg, Infinity, () => 1], RangeError, "shield needs a finite budget in milliseconds"],
  [
    "withTimeout",
    [bg, 1, { reason: 1 }],
    TypeError,
    'withTimeout got the unknown option "reason"; its options are: cause',
  ],
  [
    "withTimeout",
    [bg, 1, null],
    TypeError,
    "withTimeout takes its options in an object, got null; pass { cause }",
  ],
  [
    "withTimeout",
    [bg, 1, "slow"],
    TypeError,
    'takes its options in an object, got the string "slow"',
  ],
  [
    "withTimeout",
    [bg, 1, new Error("slow")],
    TypeError,
    "got an object of class Error; pass { cause }",
  ],
  [
    "withDeadline",
    [bg, 1, { causes: 1 }],
    TypeError,
    'withDeadline got the unknown option "causes"; its options are: cause',
  ],
  [
    "key",
    ["k", { value: 1 }],
    TypeError,
    'key got the unknown option "value"; its options are: default, secret',
  ],
  [
    "key",
    ["k", "en"],
    TypeError,
    'key takes its options in an object, got the string "en"; pass { default, secret }',
  ],
  [
    "developmentMode",
    [false, { onDrop: 1 }],
    TypeError,
    'developmentMode got the unknown option "onDrop"; its options are: onDropped',
  ],
  [
    "developmentMode",
    [false, { onDropped: 1 }],
    TypeError,
    "developmentMode takes a function, got number 1; pass a function for the option onDropped",
  ],
  [
    "stopped",
    [bg, { timeout: 1 }],
    TypeError,
    'stopped got the unknown option "timeout"; its options are: within',
  ],
  [
    "stopped",
    [bg, 100],
    TypeError,
    "stopped takes its options in an object, got number 100; pass { within }",
  ],
  [
    "all",
    [bg, [], { concurrency: 2 }],
    TypeError,
    'all got the unknown option "concurrency"; its options are: limit',
  ],
  [
    "startWork",
    [bg],
    TypeError,
    'startWork takes the kind of work, got undefined; pass a string such as "pg.query"',
  ],
] as const)(
  "%s(…) rejects wrong arguments and says what to pass: %#",
  async (name, args, Class, message) => {
    const error: unknown = await call(name, ...args).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Class);
    expect((error as Error).message).toContain(message);
  },
);

test("cancel() that is called without its context throws and says how to pass it on", () => {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- the mistake in question
  const { cancel } = withCancel(bg);
  const mistake = "cancel() was called without its context; pass () => ctx.cancel()";
  expect(() => cancel()).toThrow(mistake);
  expect(() => cancel.call({} as never)).toThrow(mistake);
});

test("value() throws for undefined and for a string, and names key()", () => {
  const { value } = { value: bg.value.bind(bg) as Anything };
  expect(() => value(undefined)).toThrow("nil key: value needs a key made by key(), got undefined");
  expect(() => value("id")).toThrow('value needs a key made by key(), got the string "id"');
});
