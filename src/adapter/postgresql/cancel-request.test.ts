import { getEventListeners } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { CancelRequest, hasCancelKey, type CancelTarget } from "./cancel-request.ts";

/** A server that lets the test decide when it closes a connection. */
async function startServer(onRequest: (socket: Socket) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.once("data", () => onRequest(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { sockets, to: { host: "127.0.0.1", port } };
}

const request = (to: CancelTarget["to"]): CancelRequest =>
  new CancelRequest({ to, pid: 1, secret: 2 });

test("a request is unproven when the server has closed its connection", async () => {
  const { to } = await startServer((socket) => socket.end());
  expect(await request(to).send(new AbortController().signal)).toBe("unproven");
});

test("a request whose connection is refused is unsent", async () => {
  const { to } = await startServer(() => undefined);
  expect(await request({ ...to, port: 1 }).send(new AbortController().signal)).toBe("unsent");
});

test("a request whose connection breaks after it was sent rejects", async () => {
  const { to } = await startServer((socket) => socket.resetAndDestroy());
  await expect(request(to).send(new AbortController().signal)).rejects.toThrow();
});

test("requests leave no listener on the signal, however often they are sent", async () => {
  const { to } = await startServer((socket) => socket.end());
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) expect(await request(to).send(signal)).toBe("unproven");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

describe("a server", () => {
  test("has eight connections for requests at a time, and each that ends makes place for one", async () => {
    const { to, sockets } = await startServer(() => undefined);
    const { signal } = new AbortController();
    const sent = Array.from({ length: 10 }, () => request(to).send(signal));
    await vi.waitUntil(() => sockets.length === 8);
    sockets[0]!.end();
    await vi.waitUntil(() => sockets.length === 9);
    sockets[1]!.end();
    await vi.waitUntil(() => sockets.length === 10);
    for (const socket of sockets) socket.end();
    expect(new Set(await Promise.all(sent))).toEqual(new Set(["unproven"]));
  });

  test("gets no connection for a request whose query has ended while it waited", async () => {
    const { to, sockets } = await startServer(() => undefined);
    const { signal } = new AbortController();
    const first = Array.from({ length: 8 }, () => request(to).send(signal));
    const ended = new AbortController();
    const waiting = request(to).send(ended.signal);
    await vi.waitUntil(() => sockets.length === 8);
    ended.abort();
    expect(await waiting).toBe("unsent");
    for (const socket of sockets) socket.end();
    await Promise.all(first);
    expect(await Promise.all([request(to).send(AbortSignal.abort())])).toEqual(["unsent"]);
    expect(sockets).toHaveLength(8);
  });

  test("gets a request that was given up while it waited when there is a place, because its query still runs", async () => {
    const { to, sockets } = await startServer(() => undefined);
    const { signal } = new AbortController();
    const first = Array.from({ length: 8 }, () => request(to).send(signal));
    const abandoned = request(to);
    const waiting = abandoned.send(signal);
    abandoned.abandon();
    expect(await waiting).toBe("unsent");
    await vi.waitUntil(() => sockets.length === 8);
    for (const socket of sockets) socket.end();
    await Promise.all(first);
    await vi.waitUntil(() => sockets.length === 9 && sockets[8]!.bytesRead === 16);
  });

  test("that a user's function connects to gets its place back if the function never settles", async () => {
    const { to, sockets } = await startServer((socket) => socket.end());
    const pool = {};
    const hanging = Array.from({ length: 8 }, () =>
      request({ open: () => new Promise<Socket>(() => undefined), pool }),
    );
    const sent = hanging.map((one) => one.send(new AbortController().signal));
    for (const one of hanging) one.abandon();
    expect(new Set(await Promise.all(sent))).toEqual(new Set(["unsent"]));
    const other = request({ open: () => connect(to), pool: {} });
    expect(await other.send(new AbortController().signal)).toBe("unproven");
    expect(sockets).toHaveLength(1);
  });

  test("gets no connection for a request whose socket comes after the request was dropped", async () => {
    const { to } = await startServer((socket) => socket.end());
    const ended = new AbortController();
    let open!: (socket: Socket) => void;
    const opening = new Promise<Socket>((resolve) => (open = resolve));
    const openSocket = vi.fn(() => opening);
    const sent = request({ open: openSocket, pool: {} }).send(ended.signal);
    await vi.waitUntil(() => openSocket.mock.calls.length === 1);
    ended.abort();
    expect(await sent).toBe("unsent");
    const socket = connect(to);
    open(socket);
    await vi.waitUntil(() => socket.destroyed);
    expect(socket.bytesWritten).toBe(0);
  });
});

test("the connection of a request that was given up after it was sent is left to the server, and its place is free", async () => {
  const { to, sockets } = await startServer(() => undefined);
  const { signal } = new AbortController();
  const requests = Array.from({ length: 8 }, () => request(to));
  const sent = requests.map((one) => one.send(signal));
  await vi.waitUntil(() => sockets.length === 8 && sockets.every((one) => one.bytesRead === 16));
  let closed = 0;
  for (const socket of sockets) socket.once("close", () => closed++);
  for (const one of requests) one.abandon();
  const ends = await Promise.allSettled(sent);
  expect(ends.map(({ status }) => status)).toEqual(Array(8).fill("rejected"));
  const next = request(to).send(signal);
  await vi.waitUntil(() => sockets.length === 9);
  expect(closed).toBe(0);
  for (const socket of sockets) socket.end();
  expect(await next).toBe("unproven");
});

test.each([
  [null, null, false],
  [0, 0, false],
  [1, 0, true],
  [0, 1, true],
  [12, 34, true],
])("the key %s/%s can be used for requests: %s", (pid, secret, can) => {
  expect(hasCancelKey(pid, secret)).toBe(can);
});
