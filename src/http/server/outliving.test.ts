/** `serve` waits for the functions of `shield` and `detach` that requests have started. */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { describe, expect, test, vi } from "vitest";
import { Client, until } from "../../../test/raw-http.ts";
import { background, cause, detach, shield, sleep, withCancel, type Context } from "../../index.ts";
import { handler, serve, type HandlerOptions, type ServeOptions } from "../index.ts";

vi.setConfig({ testTimeout: 30_000 });

type Work = (ctx: Context) => unknown;

/** A server whose handler does `work` and then responds, and one request to it. */
async function ask(
  work: Work,
  options: ServeOptions = {},
  more: Pick<HandlerOptions<never, never>, "parent"> = {},
) {
  const server = createServer(
    handler(
      async (ctx, _req, res) => {
        await work(ctx);
        res.end("ok");
      },
      { onError: () => undefined, ...more },
    ),
  );
  const serving = serve(server, { signals: [], ...options });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const client = new Client(socket);
  client.get("/");
  let isDone = false;
  void serving.done.then(() => (isDone = true));
  return {
    ...{ server, serving, client },
    get isDone() {
      return isDone;
    },
  };
}

function gate(): { opened: Promise<void>; open: () => void; isEntered: boolean } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open(), isEntered: false };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each<[string, (ctx: Context, ms: number, fn: () => Promise<unknown>) => unknown]>([
  ["shield", (ctx, ms, fn) => void shield(ctx, ms, fn).catch(() => undefined)],
  ["detach", (ctx, ms, fn) => detach(ctx, ms, fn)],
])("a function of %s", (_, start) => {
  test("is waited for, although its response was sent and its connection has closed", async () => {
    const held = gate();
    const asked = await ask((ctx) => start(ctx, 60_000, () => held.opened));
    expect(await asked.client.answer()).toMatch(/^HTTP\/1.1 200/);
    const closed = asked.serving.close();
    await until(() => asked.client.ended);
    await pause(100);
    expect(asked.isDone).toBe(false);
    held.open();
    expect(await closed).toMatchObject({ canceled: 0, destroyed: 0, abandoned: 0 });
  });

  test("is waited for after a plain server.close()", async () => {
    const held = gate();
    const asked = await ask((ctx) => start(ctx, 60_000, () => held.opened));
    await asked.client.answer();
    let closes = 0;
    asked.server.on("close", () => closes++);
    asked.client.socket.destroy();
    asked.server.close();
    await until(() => closes === 1);
    await pause(50);
    expect(asked.isDone).toBe(false);
    held.open();
    expect(await asked.serving.done).toMatchObject({ canceled: 0, abandoned: 0 });
    expect(closes).toBe(1);
  });

  test("is given up when its budget has passed, and the report says so", async () => {
    const asked = await ask((ctx) => start(ctx, 300, () => new Promise(() => undefined)));
    await asked.client.answer();
    const startedAt = performance.now();
    expect(await asked.serving.close()).toMatchObject({ canceled: 0, destroyed: 0, abandoned: 1 });
    expect(performance.now() - startedAt).toBeLessThan(5_000); // less than the grace period
  });

  test("is given up when forceAfter has passed, and the report says so", async () => {
    const times = { gracePeriod: 50, forceAfter: 50 };
    const asked = await ask((ctx) => start(ctx, 60_000, () => new Promise(() => undefined)), times);
    await asked.client.answer();
    const startedAt = performance.now();
    expect(await asked.serving.close()).toMatchObject({ destroyed: 0, abandoned: 1 });
    expect(performance.now() - startedAt).toBeGreaterThan(90);
  });

  test("is waited for if the server's requests have a parent of their own", async () => {
    const held = gate();
    const parent = withCancel(background());
    const asked = await ask((ctx) => start(ctx, 60_000, () => held.opened), {}, { parent });
    await asked.client.answer();
    const closed = asked.serving.close();
    await until(() => asked.client.ended);
    await pause(50);
    expect(asked.isDone).toBe(false);
    held.open();
    await closed;
  });
});

test("a payment that a client has left is recorded before the pools are closed", async () => {
  const rows: string[] = [];
  const charged = gate();
  const asked = await ask((ctx) =>
    shield(ctx, 60_000, async () => {
      charged.isEntered = true;
      await charged.opened;
    }).then(() => shield(ctx, 60_000, async () => (await pause(50), rows.push("paid")))),
  );
  await until(() => charged.isEntered);
  asked.client.socket.destroy();
  const closed = asked.serving.close();
  await until(() => !asked.server.listening);
  await pause(20);
  charged.open();
  expect(await closed).toMatchObject({ abandoned: 0 });
  expect(rows).toEqual(["paid"]);
});

test("functions that had ended before the shutdown are in no report", async () => {
  const asked = await ask((ctx) => shield(ctx, 5, () => pause(20)));
  await asked.client.answer();
  expect(await asked.serving.close()).toMatchObject({ abandoned: 0 });
});

test("onDetachedError gets the errors of detach, and the shutdown waits for it", async () => {
  const seen: unknown[] = [];
  const onDetachedError = async (ctx: Context, error: unknown) => {
    seen.push(error);
    await sleep(ctx, 50);
    seen.push("logged");
  };
  const error = new Error("no");
  const held = gate();
  const fail = async () => {
    await held.opened;
    throw error;
  };
  const asked = await ask((ctx) => detach(ctx, 60_000, fail), { onDetachedError });
  await asked.client.answer();
  const closed = asked.serving.close();
  held.open();
  await closed;
  expect(seen).toEqual([error, "logged"]);
});

test("the context of a function of detach does not end with its request", async () => {
  let inner: Context | undefined;
  const held = gate();
  const asked = await ask((ctx) =>
    detach(ctx, 60_000, (own) => {
      inner = own;
      return held.opened;
    }),
  );
  await asked.client.answer();
  asked.client.socket.destroy();
  await pause(20);
  expect(inner && cause(inner)).toBeUndefined();
  held.open();
  await asked.serving.close();
  expect(inner?.err()).toBeDefined();
});

test("serve refuses an onDetachedError that is no function", () => {
  const bad = { onDetachedError: "log" } as never;
  expect(() => serve(createServer(), bad)).toThrow(/onDetachedError takes a function/);
});
