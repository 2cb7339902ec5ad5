import { randomUUID } from "node:crypto";
import { connect, headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import {
  background,
  cause,
  DeadlineExceededError,
  isCanceled,
  remaining,
  sleep,
  startWork,
  stopped,
  withCancel,
  withLedger,
  withTimeout,
  type Context,
} from "../index.ts";
import { describeWith, serverUrl } from "../../test/support/server.ts";
import { until } from "../../test/support/wait.ts";
import {
  BudgetTooSmallError,
  CalleeEndedError,
  DEADLINE_HEADER,
  toCancelMessage,
} from "../wire/index.ts";
import { withContext, type ContextConnection, type MessageOf } from "./index.ts";

type Bus = ContextConnection<NatsConnection>;

async function open(stopTimeout = 2_000): Promise<{ connection: NatsConnection; bus: Bus }> {
  const connection = await connect({ servers: serverUrl("nats") });
  onTestFinished(() => connection.close());
  return { connection, bus: withContext(connection, { headers, stopTimeout }) };
}

const newSubject = (): string => `test.${randomUUID()}`;
const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
const states = async (ctx: Context): Promise<string[]> =>
  (await stopped(ctx)).map(({ kind, state }) => `${kind} ${state}`);

/** How many subscriptions the driver holds. It has no public number. */
function subscriptions(connection: NatsConnection): number {
  type Driver = { protocol: { subscriptions: { subs: Map<number, unknown> } } };
  return (connection as unknown as Driver).protocol.subscriptions.subs.size;
}

/** A responder that works until its context ends, and the contexts of its requests. */
async function openWorker(subject: string, options = {}) {
  const { connection, bus } = await open();
  const contexts: Context[] = [];
  const ended: unknown[] = [];
  const serving = bus.serve(
    background(),
    subject,
    async (ctx) => {
      contexts.push(ctx);
      await sleep(ctx, 60_000).catch((error: unknown) => {
        ended.push(error);
        throw error;
      });
    },
    options,
  );
  await connection.flush();
  return { connection, serving, contexts, ended };
}

test("withContext takes the driver's connection and keeps the driver's types", () => {
  const open = (connection: NatsConnection) => withContext(connection, { headers });
  expectTypeOf(open).returns.toEqualTypeOf<ContextConnection<NatsConnection>>();
  expectTypeOf<MessageOf<NatsConnection>>().toEqualTypeOf<Msg>();
  expectTypeOf<ReturnType<Bus["request"]>>().toEqualTypeOf<Promise<Msg>>();
});

test("withContext refuses what is no connection, and the call without `headers`", () => {
  expect(() => withContext({} as NatsConnection, { headers })).toThrow(/eightysix\/nats takes/);
  const connection = { request: () => undefined } as unknown as NatsConnection;
  expect(() => withContext(connection, {} as never)).toThrow(/headers of withContext/);
});

describeWith("nats")("NATS:", () => {
  test("the deadline of a caller reaches its responder, and is never later than that of the caller", async () => {
    const { bus, connection } = await open();
    const subject = newSubject();
    let left = 0;
    bus.serve(background(), subject, (ctx, message) => {
      left = remaining(ctx);
      return message.string();
    });
    await connection.flush();
    using ctx = withTimeout(background(), 10_000);
    expect((await bus.request(ctx, subject, "hello")).string()).toBe("hello");
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(9_995);
    await bus.request(background(), subject);
    expect(left).toBe(Infinity);
  });

  test("the responder's work stops when the caller cancels, and the caller's receipt says so", async () => {
    const subject = newSubject();
    const worker = await openWorker(subject);
    const { bus } = await open();
    const ctx = withCancel(withLedger(background()));
    const outcome = outcomeOf(bus.request(ctx, subject));
    await until(() => worker.contexts.length === 1);
    ctx.cancel(new Error("the user left"));
    expect(await outcome).toBe(ctx.err());
    expect(isCanceled(worker.ended[0])).toBe(true);
    expect(String((cause(worker.contexts[0] as Context) as Error).cause)).toContain(
      "the user left",
    );
    expect(await states(ctx)).toEqual(["nats.request stopped"]);
  });

  test("a request with too little time is not sent", async () => {
    const subject = newSubject();
    const { bus } = await open();
    using ctx = withTimeout(background(), 4);
    // Without responders, a request that is sent fails with the driver's error.
    expect(await outcomeOf(bus.request(ctx, subject))).toBeInstanceOf(BudgetTooSmallError);
  });

  test("a request without responders fails at once with the driver's error", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    const own = (await outcomeOf(connection.request(subject))) as Error;
    const error = (await outcomeOf(bus.request(background(), subject))) as Error;
    expect(error.name).toBe(own.name);
    expect((error.cause as Error).name).toBe("NoResponders");
  });

  test("a request is abandoned after the stop timeout if its responder is dead", async () => {
    const subject = newSubject();
    const { bus, connection } = await open(100);
    const worker = await openWorker(subject);
    const ctx = withCancel(withLedger(background()));
    const outcome = outcomeOf(bus.request(ctx, subject));
    await until(() => worker.contexts.length === 1);
    await worker.connection.close();
    ctx.cancel();
    expect(await outcome).toBe(ctx.err());
    expect(await states(ctx)).toEqual(["nats.request abandoned"]);
    expect(connection.isClosed()).toBe(false);
    await until(() => worker.ended.length === 1); // the closed connection has canceled the handler
  });

  test("a request is abandoned if work of its responder is abandoned", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    let isWorking = false;
    bus.serve(background(), subject, async (ctx) => {
      const work = startWork(ctx, "engine.query");
      isWorking = true;
      await sleep(ctx, 60_000).finally(() => setTimeout(() => work.end("abandoned"), 20));
    });
    await connection.flush();
    const ctx = withCancel(withLedger(background()));
    const outcome = outcomeOf(bus.request(ctx, subject));
    await until(() => isWorking);
    ctx.cancel();
    expect(await outcome).toBe(ctx.err());
    expect(await states(ctx)).toEqual(["nats.request abandoned"]);
  });

  test("a reply that beats the stop is returned", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    let handled: Context | undefined;
    bus.serve(background(), subject, async (ctx) => {
      handled = ctx;
      await sleep(ctx, 60_000).catch(() => undefined);
      return "done";
    });
    await connection.flush();
    const ctx = withCancel(withLedger(background()));
    const reply = bus.request(ctx, subject);
    await until(() => handled !== undefined);
    ctx.cancel();
    expect((await reply).string()).toBe("done");
  });

  test("an error of a handler arrives with its name, message, code and cause", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    bus.serve(background(), subject, () => {
      const inner = new RangeError("no such row ü");
      throw Object.assign(new TypeError("bad order", { cause: inner }), { code: "E_ORDER" });
    });
    await connection.flush();
    const error = await outcomeOf(bus.request(background(), subject));
    expect(error).toMatchObject({ name: "TypeError", message: "bad order", code: "E_ORDER" });
    expect((error as Error).cause).toMatchObject({ name: "RangeError", message: "no such row ü" });
  });

  test("a handler that returns no payload fails its request with an error", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    bus.serve(background(), subject, (() => ({ a: 1 })) as never);
    await connection.flush();
    expect(await outcomeOf(bus.request(background(), subject))).toMatchObject({
      name: "TypeError",
      message: expect.stringContaining("payload") as string,
    });
  });

  test("a deadline that passes at the responder first is an exceeded deadline for the caller", async () => {
    const subject = newSubject();
    const worker = await openWorker(subject);
    const { bus } = await open();
    using ctx = withTimeout(background(), 60_000);
    const error = await outcomeOf(bus.request(ctx, subject, "", { margin: 59_900 }));
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(cause(ctx)).toBeUndefined();
    expect(worker.ended[0]).toBeInstanceOf(DeadlineExceededError);
  });

  test.each(["", "-1", "1e3", "NaN", "99999999999", "{}"])(
    "a malformed deadline (%j) is ignored",
    async (text) => {
      const subject = newSubject();
      const { bus, connection } = await open();
      bus.serve(background(), subject, (ctx) => String(remaining(ctx)));
      await connection.flush();
      const own = headers();
      own.set(DEADLINE_HEADER, text);
      const reply = await connection.request(subject, "", { timeout: 5_000, headers: own });
      expect(reply.string()).toBe("Infinity");
    },
  );

  test("the caller's own headers arrive and are not changed", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    bus.serve(background(), subject, (_ctx, message) => message.headers?.values("a").join());
    await connection.flush();
    const own = headers();
    own.append("a", "1");
    own.append("a", "2");
    const reply = await bus.request(background(), subject, "", { headers: own });
    expect(reply.string()).toBe("1,2");
    expect(own.keys()).toEqual(["a"]);
  });

  test("a cancel message with a wrong id, or for another request, cancels nothing", async () => {
    const subject = newSubject();
    const { connection, bus } = await open();
    const seen: { reply: string; id: string; ctx: Context }[] = [];
    bus.serve(background(), subject, async (ctx, message) => {
      const id = message.headers?.get("x-request-cancel-id") ?? "";
      seen.push({ reply: message.reply ?? "", id, ctx });
      await sleep(ctx, 60_000);
    });
    await connection.flush();
    using first = withCancel(background());
    using second = withCancel(background());
    const outcomes = [first, second].map((ctx) => outcomeOf(bus.request(ctx, subject)));
    await until(() => seen.length === 2);
    const [one, two] = seen as [(typeof seen)[0], (typeof seen)[0]];
    for (const text of [
      "",
      "{",
      "null",
      JSON.stringify(toCancelMessage(two.id, new Error())),
      JSON.stringify({ kind: "eightysix.cancel", id: 7 }),
    ]) {
      connection.publish(`${one.reply}.cancel`, text);
    }
    connection.publish(`${one.reply}.cancel`, new Uint8Array([255, 254, 0]));
    connection.publish(`${one.reply}.cancel`, JSON.stringify(toCancelMessage(two.id, "x")));
    await connection.flush();
    expect([one.ctx.err(), two.ctx.err()]).toEqual([undefined, undefined]);
    // The right one proves that the others had arrived before it.
    connection.publish(`${one.reply}.cancel`, JSON.stringify(toCancelMessage(one.id, "x")));
    expect(await outcomes[0]).toBeInstanceOf(CalleeEndedError);
    expect(two.ctx.err()).toBeUndefined();
    second.cancel();
    expect(await outcomes[1]).toBe(second.err());
  });

  test.each(["a.*", "a.>", "a..b", ">"])(
    "a reply subject that is no plain subject (%s) is never subscribed to",
    async (reply) => {
      const subject = newSubject();
      const { connection, bus } = await open();
      let held = 0; // subscriptions, while the handler runs
      bus.serve(background(), subject, () => {
        held = subscriptions(connection);
        return undefined;
      });
      await connection.flush();
      const own = headers();
      own.set("x-request-cancel-id", "id");
      connection.publish(subject, "", { reply, headers: own });
      await until(() => held > 0);
      expect(held).toBe(1);
    },
  );

  test("a responder whose `headers` function throws goes on, although it cannot send an error", async () => {
    const subject = newSubject();
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", listen);
    onTestFinished(() => void process.off("unhandledRejection", listen));
    const connection = await connect({ servers: serverUrl("nats") });
    onTestFinished(() => connection.close());
    const broken = withContext(connection, {
      headers: () => {
        throw new Error("a mistake of the user");
      },
    });
    broken.serve(background(), subject, (_, message) => {
      if (message.string() === "fail") throw new Error("own");
      return "reply";
    });
    await connection.flush();
    const { bus } = await open(50);
    const ctx = withCancel(background());
    const failing = outcomeOf(bus.request(ctx, subject, "fail"));
    expect((await bus.request(background(), subject)).string()).toBe("reply");
    ctx.cancel();
    expect(await failing).toBe(ctx.err());
    expect(unhandled).toEqual([]);
  });

  test("a cancel reaches the one member of a queue group that took the request", async () => {
    const subject = newSubject();
    const workers = [
      await openWorker(subject, { queue: "workers" }),
      await openWorker(subject, { queue: "workers" }),
    ];
    const { bus } = await open();
    const contexts = Array.from({ length: 12 }, () => withCancel(withLedger(background())));
    const outcomes = contexts.map((ctx) => outcomeOf(bus.request(ctx, subject)));
    const count = (key: "contexts" | "ended"): number =>
      workers.reduce((sum, worker) => sum + worker[key].length, 0);
    await until(() => count("contexts") === 12);
    for (const [n, ctx] of contexts.entries()) {
      ctx.cancel();
      expect(await outcomes[n]).toBe(ctx.err());
      expect(await states(ctx)).toEqual(["nats.request stopped"]);
      expect(count("ended")).toBe(n + 1);
    }
    for (const worker of workers) expect(worker.ended).toHaveLength(worker.contexts.length);
  });

  test("drain takes no new messages, lets a handler finish, and its reply arrives", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    let finish: (() => void) | undefined;
    const serving = bus.serve(background(), subject, async (ctx) => {
      await new Promise<void>((resolve) => (finish = resolve));
      return ctx.err() === undefined ? "finished" : "canceled";
    });
    await connection.flush();
    const caller = await open();
    const reply = caller.bus.request(background(), subject);
    await until(() => finish !== undefined);
    const drained = serving.drain();
    await serving.closed;
    expect(await outcomeOf(caller.bus.request(background(), subject))).toMatchObject({
      name: "RequestError",
    });
    finish?.();
    expect((await reply).string()).toBe("finished");
    await drained;
  });

  test("drain cancels a handler that outlives the grace period, and its caller learns it", async () => {
    const subject = newSubject();
    const worker = await openWorker(subject, { gracePeriod: 50 });
    const { bus } = await open();
    const outcome = outcomeOf(bus.request(background(), subject));
    await until(() => worker.contexts.length === 1);
    await worker.serving.drain();
    expect(cause(worker.contexts[0] as Context)).toMatchObject({ code: "ERR_RESPONDER_DRAINED" });
    expect(await outcome).toBeInstanceOf(CalleeEndedError);
  });

  test("the end of the context of `serve` ends the subscription and cancels its handlers", async () => {
    const subject = newSubject();
    const { bus, connection } = await open();
    const ctx = withCancel(background());
    let handled: Context | undefined;
    const serving = bus.serve(ctx, subject, async (ctx) => {
      handled = ctx;
      await sleep(ctx, 60_000);
    });
    await connection.flush();
    const outcome = outcomeOf(bus.request(background(), subject));
    await until(() => handled !== undefined);
    ctx.cancel();
    expect(await outcome).toBeInstanceOf(CalleeEndedError);
    await serving.closed;
  });

  test("a request fails with the driver's error when its connection is closed", async () => {
    const subject = newSubject();
    const worker = await openWorker(subject);
    const { bus, connection } = await open();
    const ctx = withCancel(withLedger(background()));
    const outcome = outcomeOf(bus.request(ctx, subject));
    await until(() => worker.contexts.length === 1);
    await connection.close();
    expect(await outcome).toMatchObject({ name: "ClosedConnectionError" });
    ctx.cancel();
    expect(await states(ctx)).toEqual([]); // it had ended before its context
  });

  test("requests and handlers leave no subscription, whether they end, fail, or are abandoned", async () => {
    const subject = newSubject();
    const worker = await openWorker(subject);
    const { bus, connection } = await open(50);
    const deaf = newSubject();
    connection.subscribe(deaf, { callback: () => undefined });
    const before = subscriptions(connection);
    await outcomeOf(bus.request(background(), newSubject()));
    for (const name of [deaf, subject]) {
      using ctx = withTimeout(background(), 50);
      await outcomeOf(bus.request(ctx, name));
    }
    const tooLong = new Uint8Array((connection.info?.max_payload ?? 0) + 1);
    expect(await outcomeOf(bus.request(background(), subject, tooLong))).toBeInstanceOf(Error);
    await until(() => subscriptions(connection) === before);
    await until(() => subscriptions(worker.connection) === 1);
  });
});
