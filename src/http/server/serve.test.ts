import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect as connectHttp2, type ClientHttp2Stream } from "node:http2";
import { connect as connectTcp, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Client, until } from "../../../test/raw-http.ts";
import { certificate } from "../../../test/support/certificate.ts";
import { background, cause, withCancel } from "../../index.ts";
import { serve, Shutdown, type ShutdownReport } from "../index.ts";

vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL("../../../", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
const programs = mkdtempSync(join(root, "build/serve-"));
const program = join(programs, "serve-program.mjs");
const tls = certificate();

beforeAll(async () => {
  await build({
    ...{ bundle: true, format: "esm", platform: "node", target: "node20", outfile: program },
    entryPoints: [join(root, "test/support/serve-program.ts")],
    tsconfig: join(root, "tsconfig.json"),
  });
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

type Line = { port?: number; asked?: string; report?: ShutdownReport };

interface Setting {
  kind?: "http" | "https" | "h2" | "h2c";
  gracePeriod?: number;
  forceAfter?: number;
  delay?: number;
  [other: string]: unknown;
}

/** Starts a server in a process of its own, which must end by itself, and offers clients for it. */
async function start(setting: Setting = {}) {
  const { kind = "http" } = setting;
  const child = spawn(process.execPath, [program, JSON.stringify({ ...setting, tls })], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  const closed = once(child, "close") as Promise<[number | null, string | null]>;
  const lines = (): Line[] =>
    out
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);
  await until(() => lines().some(({ port }) => port !== undefined) || child.exitCode !== null);
  const { port = 0 } = lines()[0] ?? {};
  const open: Client[] = [];
  let signaled = NaN;
  return {
    child,
    port,
    asked: (count: number) =>
      until(() => lines().filter(({ asked }) => asked !== undefined).length >= count, `asked`),
    async client(how: "plain" | "as the server" = "as the server"): Promise<Client> {
      const secure = kind !== "http" && how !== "plain";
      const socket = secure
        ? connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false })
        : connectTcp({ port, host: "127.0.0.1" });
      await once(socket, secure ? "secureConnect" : "connect");
      const client = new Client(socket);
      open.push(client);
      return client;
    },
    signal(name: NodeJS.Signals = "SIGTERM") {
      signaled = performance.now();
      // Not `child.kill`: in Deno, that reports at once that the signal has killed the child.
      if (child.pid !== undefined && child.exitCode === null) process.kill(child.pid, name);
    },
    /** Waits until the server has ended by itself, and returns its report. */
    async end() {
      const [code, signal] = await closed;
      const took = performance.now() - signaled;
      const report = lines().find(({ report }) => report)?.report;
      return { code, signal, took, err, ...report };
    },
    async [Symbol.asyncDispose]() {
      for (const { socket } of open) socket.destroy();
      child.kill("SIGKILL");
      await closed;
    },
  };
}

const clean = { code: 0, signal: "SIGTERM", err: "" };
const report = (drained: number, canceled = 0, destroyed = 0) => ({
  ...clean,
  drained,
  canceled,
  destroyed,
});

describe.each(["http", "https", "h2"] as const)("a shutdown of an HTTP/1 server (%s)", (kind) => {
  const secure = kind !== "http";
  const only = test.skipIf(secure && tls === undefined);

  only("lets an open request finish, and closes its connection afterwards", async () => {
    await using server = await start({ kind });
    const client = await server.client();
    client.get("/short");
    await server.asked(1);
    server.signal();
    expect(await client.answer()).toMatch(/^HTTP\/1.1 200 OK\r\n[^]*connection: close\r\n/i);
    const end = await server.end();
    expect(end).toMatchObject(report(1));
    expect(end.took).toBeLessThan(5_000); // less than the grace period
    expect(client.received).toMatch(/done/);
  });

  only("lets a response that has begun finish, and its connection causes no delay", async () => {
    await using server = await start({ kind });
    const client = await server.client();
    client.get("/begun");
    await client.answer();
    server.signal();
    const end = await server.end();
    expect(end).toMatchObject(report(1));
    expect(client.received).toMatch(/begun [^]*done/);
    expect(end.took).toBeLessThan(5_000);
  });

  only("responds with 503 to a request that outlasts the grace period", async () => {
    await using server = await start({ kind, gracePeriod: 200, forceAfter: 20_000 });
    const client = await server.client();
    client.get("/long");
    await server.asked(1);
    server.signal();
    expect(await client.answer()).toMatch(/^HTTP\/1.1 503 [^]*retry-after: 1\r\n/i);
    expect(client.received).toMatch(/connection: close\r\n/i);
    const end = await server.end();
    expect(end).toMatchObject(report(0, 1));
    expect(end.took).toBeGreaterThanOrEqual(150);
    expect(end.took).toBeLessThan(10_000);
  });

  only(
    "closes idle and never-used connections at once, and ones without a TLS handshake",
    async () => {
      await using server = await start({ kind });
      const idle = await server.client();
      idle.get("/ready");
      await idle.answer();
      const fresh = await server.client();
      const mute = await server.client("plain");
      await delay(50);
      server.signal();
      const end = await server.end();
      expect(end).toMatchObject(report(0));
      expect(end.took).toBeLessThan(5_000);
      await until(() => [idle, fresh, mute].every(({ ended }) => ended));
    },
  );

  only("destroys the connection of a handler that ignores its context", async () => {
    await using server = await start({ kind, gracePeriod: 100, forceAfter: 100 });
    const client = await server.client();
    client.get("/ignoring-stream");
    await client.answer();
    server.signal();
    expect(await server.end()).toMatchObject(report(0, 1, 1));
  });

  only("ends an event stream at the end of the grace period", async () => {
    await using server = await start({ kind, gracePeriod: 100, forceAfter: 20_000 });
    const client = await server.client();
    client.get("/events");
    await client.answer();
    server.signal();
    const end = await server.end();
    expect(end).toMatchObject(report(0, 1));
    expect(end.took).toBeLessThan(10_000);
  });

  only(
    "cancels the context of an upgraded connection, and sends a FIN to one without a context",
    async () => {
      await using server = await start({ kind, gracePeriod: 200, forceAfter: 20_000 });
      const [watched, unwatched] = [await server.client(), await server.client()];
      for (const [client, path] of [
        [watched, "/watched"],
        [unwatched, "/unwatched"],
      ] as const) {
        client.socket.write(
          `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
        );
        await client.answer();
      }
      server.signal();
      await until(() => watched.ended && unwatched.ended);
      expect(watched.received).toMatch(/bye$/);
      const end = await server.end();
      expect(end).toMatchObject(report(0, 2));
      expect(end.took).toBeGreaterThanOrEqual(150);
      expect(end.took).toBeLessThan(10_000);
    },
  );
});

test("a shutdown does not wait longer than the grace period for an incomplete request", async () => {
  await using server = await start({ gracePeriod: 100, forceAfter: 200 });
  const client = await server.client();
  client.socket.write("GET / HTTP/1.1\r\nHost:");
  await delay(50);
  server.signal();
  const end = await server.end();
  expect(end).toMatchObject(report(0, 1));
});

test("an event stream that watches `serving.context` can end when the draining starts", async () => {
  await using server = await start();
  const client = await server.client();
  client.get("/polite-events");
  await client.answer();
  server.signal();
  const end = await server.end();
  expect(end).toMatchObject(report(1));
  expect(end.took).toBeLessThan(5_000);
  expect(client.received).toMatch(/bye/);
});

test("during `delay`, `serving.draining` is true and new requests are served", async () => {
  await using server = await start({ delay: 1_000 });
  const kept = await server.client();
  kept.get("/ready");
  expect(await kept.answer()).toMatch(/ 200 OK[^]*keep-alive/);
  server.signal();
  let probe = await server.client();
  await until(() => {
    probe.get("/ready");
    return probe.statuses.includes(503);
  });
  expect(probe.received).toMatch(/503 [^]*connection: close\r\n/i);
  probe = await server.client();
  probe.get("/short");
  expect(await probe.answer()).toMatch(/200 OK/);
  expect(kept.ended).toBe(false); // it may send more requests
  const end = await server.end();
  expect(end).toMatchObject({ ...clean, canceled: 0, destroyed: 0 });
  expect(end.took).toBeGreaterThanOrEqual(950);
});

test.each([
  ["SIGTERM", 143],
  ["SIGINT", 130],
] as const)(
  "a second signal (%s) exits the process at once, and an echo of the first does not",
  async (name, code) => {
    await using server = await start();
    const client = await server.client();
    client.get("/long");
    await server.asked(1);
    server.signal();
    server.signal(); // an echo, as npm sends it
    await delay(500);
    expect(server.child.exitCode).toBeNull();
    server.signal(name);
    expect(await server.end()).toMatchObject({ code, signal: null });
  },
);

test("while a program closes its pools, another signal kills it and an echo does not", async () => {
  for (const again of [false, true]) {
    await using server = await start({ cleanup: 1_000 });
    server.signal();
    await delay(100);
    server.signal();
    await delay(400);
    expect(server.child.signalCode).toBeNull();
    if (again) server.signal();
    const end = await server.end();
    expect(end).toMatchObject(again ? { signal: "SIGTERM", code: null } : { code: 0 });
  }
});

test("a context of `notifyContext` can start the shutdown", async () => {
  await using server = await start({ notified: true });
  const client = await server.client();
  client.get("/short");
  await server.asked(1);
  server.signal("SIGINT");
  expect(await client.answer()).toMatch(/ 200 OK/);
  expect(await server.end()).toMatchObject({ code: 0, drained: 1, canceled: 0 });
});

test("after a context of `notifyContext` has ended, the next signal kills the process", async () => {
  await using server = await start({ notified: true });
  const client = await server.client();
  client.get("/long");
  await server.asked(1);
  server.signal("SIGINT");
  server.signal("SIGINT");
  await delay(500);
  expect(server.child.exitCode).toBeNull();
  server.signal("SIGINT");
  expect(await server.end()).toMatchObject({ code: null, signal: "SIGINT" });
});

test("`serving.close()` starts the shutdown", async () => {
  await using server = await start({ closes: 100 });
  const client = await server.client();
  client.get("/short");
  const end = await server.end();
  expect(end).toMatchObject({ code: 0, err: "", drained: 1 });
});

describe.each(["h2", "h2c"] as const)("a shutdown of an HTTP/2 server (%s)", (kind) => {
  const only = test.skipIf(kind === "h2" && tls === undefined);
  const connect = (port: number) => {
    const session = connectHttp2(`${kind === "h2" ? "https" : "http"}://127.0.0.1:${port}`, {
      rejectUnauthorized: false,
    });
    const seen = { session, goaway: false, closed: false };
    session.on("goaway", () => (seen.goaway = true)).on("error", () => undefined);
    session.on("close", () => (seen.closed = true));
    return seen;
  };
  const ask = (session: ReturnType<typeof connect>["session"], path: string) => {
    const stream: ClientHttp2Stream = session.request({ ":path": path });
    const seen = { status: 0, text: "", code: undefined as number | undefined };
    stream.on("response", (headers) => (seen.status = Number(headers[":status"])));
    stream.on("data", (chunk) => (seen.text += String(chunk))).on("error", () => undefined);
    stream.on("close", () => (seen.code = stream.rstCode));
    return seen;
  };

  only("sends GOAWAY and lets an open request finish", async () => {
    await using server = await start({ kind });
    const { session, ...seen } = connect(server.port);
    session.on("goaway", () => (seen.goaway = true));
    const response = ask(session, "/short");
    await server.asked(1);
    server.signal();
    await until(() => response.code !== undefined);
    expect(response).toEqual({ status: 200, text: "done", code: 0 });
    expect(seen.goaway).toBe(true);
    const end = await server.end();
    expect(end).toMatchObject(report(1));
    expect(end.took).toBeLessThan(5_000);
  });

  only(
    "responds with 503 to a request that outlasts the grace period, and resets streams",
    async () => {
      await using server = await start({ kind, gracePeriod: 200, forceAfter: 20_000 });
      const { session } = connect(server.port);
      const [long, events] = [ask(session, "/long"), ask(session, "/events")];
      await server.asked(2);
      server.signal();
      await until(() => long.code !== undefined && events.code !== undefined);
      expect(long).toMatchObject({ status: 503, code: 0 });
      expect(events).toMatchObject({ status: 200, code: 2 }); // reset, not finished
      const end = await server.end();
      expect(end).toMatchObject(report(0, 2));
      expect(end.took).toBeLessThan(10_000);
    },
  );

  only("closes idle and never-used sessions at once", async () => {
    await using server = await start({ kind });
    const used = connect(server.port);
    const response = ask(used.session, "/ready");
    await until(() => response.code !== undefined);
    const unused = connect(server.port);
    await until(() => !unused.session.connecting);
    const mute = await server.client("plain");
    await delay(50);
    server.signal();
    const end = await server.end();
    expect(end).toMatchObject(report(0));
    expect(end.took).toBeLessThan(5_000);
    await until(() => used.closed && unused.closed && mute.ended);
  });

  only("destroys the session of a handler that ignores its context", async () => {
    await using server = await start({ kind, gracePeriod: 100, forceAfter: 100 });
    const { session } = connect(server.port);
    const response = ask(session, "/ignoring-stream");
    await until(() => response.status === 200);
    server.signal();
    expect(await server.end()).toMatchObject(report(0, 1, 1));
  });
});

describe("`serve` in the test's own process", () => {
  test("closes the server at the end of `await using`, and removes its signal listeners", async () => {
    const before = process.listenerCount("SIGTERM");
    const server = createServer((_, res) => res.end("ok")).listen(0, "127.0.0.1");
    await once(server, "listening");
    let held;
    {
      await using serving = serve(server);
      held = serving;
      expect(process.listenerCount("SIGTERM")).toBe(before + 1);
      expect([serving.draining, serving.context.err()]).toEqual([false, undefined]);
    }
    expect(server.listening).toBe(false);
    expect(process.listenerCount("SIGTERM")).toBe(before);
    expect(cause(held.context)).toBeInstanceOf(Shutdown);
    expect(await held.close()).toMatchObject({ signal: undefined, drained: 0, destroyed: 0 });
  });

  test("uses one process listener for a signal, however many servers there are", async () => {
    const before = process.listenerCount("SIGINT");
    const all = Array.from({ length: 20 }, () => serve(createServer()));
    expect(process.listenerCount("SIGINT")).toBe(before + 1);
    await Promise.all(all.map((serving) => serving.close())); // none of them ever called `listen`
    expect(process.listenerCount("SIGINT")).toBe(before);
  });

  test("resolves `done` when the server is closed without it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    const serving = serve(server);
    await once(server, "listening");
    server.close();
    expect(await serving.done).toMatchObject({ took: 0 });
    expect(serving.draining).toBe(false);
    expect(await serving.close()).toMatchObject({ took: 0 });
  });

  test("does not report an idle connection as canceled or destroyed without a grace period", async () => {
    const server = createServer((_, res) => res.end("ok")).listen(0, "127.0.0.1");
    const serving = serve(server, { gracePeriod: 0, forceAfter: 0, signals: [] });
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const used = new Client(connectTcp({ port, host: "127.0.0.1" }));
    used.get();
    await used.answer();
    const unused = connectTcp({ port, host: "127.0.0.1" });
    await Promise.all([once(unused, "connect"), once(server, "connection")]);
    expect(await serving.close()).toMatchObject({ canceled: 0, destroyed: 0 });
  });

  test("does not hang if a connection was opened before `serve` was called", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const closed = once(server, "close"); // from Node 26 on, before `serving` is done
    const socket = connectTcp({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
    await Promise.all([once(socket, "connect"), once(server, "connection")]);
    const serving = serve(server, { gracePeriod: 0, forceAfter: 0, signals: [] });
    await serving.close();
    socket.destroy();
    await closed;
  });

  test("starts the shutdown when the context `until` ends", async () => {
    const until = withCancel(background());
    const serving = serve(createServer(), { until, signals: [] });
    until.cancel();
    await serving.done;
  });

  test("rejects a server and signals that are none", () => {
    expect(() => serve(7 as never)).toThrow(/serve needs a server .* number/);
    expect(() => serve(createServer(), { signals: ["SIGKILL"] })).toThrow(/got SIGKILL/);
    expect(() => serve(createServer(), { signals: ["TERM"] })).toThrow(/got TERM/);
    expect(() => serve(createServer(), { gracePeriod: NaN })).toThrow(RangeError);
  });
});
