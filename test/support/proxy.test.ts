/** What other tests rely on in the proxy. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startProxy, type Side } from "./proxy.ts";
import { until } from "./wait.ts";

/** One side of a connection, and what it has received. */
interface End {
  socket: Socket;
  received: string;
  ended: boolean;
  closed: boolean;
}

function listenTo(socket: Socket): End {
  const end: End = { socket, received: "", ended: false, closed: false };
  socket.on("data", (chunk) => (end.received += String(chunk)));
  socket.on("end", () => (end.ended = true));
  socket.on("close", () => (end.closed = true));
  socket.on("error", () => undefined);
  onTestFinished(() => void socket.destroy());
  return end;
}

async function startTarget(): Promise<{ host: string; port: number; ends: End[] }> {
  const ends: End[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    ends.push(listenTo(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port, ends };
}

/** Both ends of a new connection through a proxy. */
async function through(options: Parameters<typeof startProxy>[1] = {}) {
  const target = await startTarget();
  const proxy = await startProxy(target, options);
  const { host, port } = proxy;
  const client = listenTo(connect({ host, port, allowHalfOpen: true }));
  await until(() => target.ends.length === 1 && proxy.links.length === 1);
  return { proxy, client, server: target.ends[0]!, link: proxy.links[0]! };
}

test("the proxy passes on the data and the FIN of both sides", async () => {
  const { client, server, proxy } = await through();
  client.socket.write("question");
  await until(() => server.received === "question");
  server.socket.end("answer");
  await until(() => client.received === "answer" && client.ended);
  client.socket.end();
  await until(() => server.ended);
  expect(proxy.open).toBe(0);
});

test("link.delay() delays both directions and keeps the order", async () => {
  const { link, ...ends } = await through();
  link.delay(200);
  for (const [from, to] of [
    [ends.client, ends.server],
    [ends.server, ends.client],
  ] as const) {
    const start = performance.now();
    for (const word of ["one ", "two ", "three"]) {
      from.socket.write(word);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(() => to.received !== "");
    expect(performance.now() - start).toBeGreaterThan(195);
    await until(() => to.received === "one two three");
  }
});

test.each<[Side, Side]>([
  ["client", "server"],
  ["server", "client"],
])(
  "link.halfClose() sends a FIN to the %s, and the other direction goes on",
  async (side, other) => {
    const { link, ...ends } = await through();
    link.halfClose(side);
    await until(() => ends[side].ended);
    ends[side].socket.write("still here");
    await until(() => ends[other].received === "still here");
    ends[other].socket.write("not passed on");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ends[side].received).toBe("");
    expect(ends[other].ended).toBe(false);
  },
);

test("link.reset() closes both sides", async () => {
  const { client, server, link } = await through();
  link.reset();
  await until(() => client.closed && server.closed);
});

test("proxy.refuse() refuses new connections and keeps existing ones, until it accepts again", async () => {
  const { proxy, client, server } = await through();
  const attempt = () =>
    new Promise<string>((resolve) => {
      const socket = connect(proxy.port, proxy.host);
      onTestFinished(() => void socket.destroy());
      socket.once("connect", () => resolve("connected"));
      socket.once("error", (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    });
  await proxy.refuse();
  expect(await attempt()).toBe("ECONNREFUSED");
  client.socket.write("still here");
  await until(() => server.received === "still here");
  await proxy.refuse(false);
  expect(await attempt()).toBe("connected");
});

test("onChunk sees each chunk before the proxy passes it on, and can delay it", async () => {
  const seen: string[] = [];
  let passOn = (): void => undefined;
  const { client, server } = await through({
    onChunk(link, from, chunk) {
      seen.push(`${link.index} ${from} ${String(chunk)}`);
      return from === "server" ? undefined : new Promise<void>((resolve) => (passOn = resolve));
    },
  });
  client.socket.write("question");
  await until(() => seen.length === 1);
  server.socket.write("beside");
  await until(() => client.received === "beside"); // the directions do not wait for each other
  client.socket.end(" more");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.received).toBe("");
  passOn();
  await until(() => seen.length === 3 && server.received !== "");
  expect(server.received).toBe("question");
  expect(server.ended).toBe(false);
  passOn();
  await until(() => server.ended);
  expect(server.received).toBe("question more");
  expect(seen).toEqual(["0 client question", "0 server beside", "0 client  more"]);
});

test("the proxy resets a connection whose onChunk rejects", async () => {
  const { client, server } = await through({ onChunk: () => Promise.reject(new Error("no")) });
  client.socket.write("question");
  await until(() => client.closed && server.closed);
  expect(server.received).toBe("");
});
