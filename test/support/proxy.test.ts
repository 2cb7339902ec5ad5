/** What the proxy's users rely on. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { startProxy, type Side } from "./proxy.ts";
import { until } from "./wait.ts";

/** One side of a connection, with what it has heard. */
interface End {
  socket: Socket;
  heard: string;
  ended: boolean;
  closed: boolean;
}

function listenTo(socket: Socket): End {
  const end: End = { socket, heard: "", ended: false, closed: false };
  socket.on("data", (chunk) => (end.heard += String(chunk)));
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

test("passes on what both sides say, and that they have ended", async () => {
  const { client, server, proxy } = await through();
  client.socket.write("question");
  await until(() => server.heard === "question");
  server.socket.end("answer");
  await until(() => client.heard === "answer" && client.ended);
  client.socket.end();
  await until(() => server.ended);
  expect(proxy.open).toBe(0);
});

test("delays both directions, in order", async () => {
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
    await until(() => to.heard !== "");
    expect(performance.now() - start).toBeGreaterThan(195);
    await until(() => to.heard === "one two three");
  }
});

test.each<[Side, Side]>([
  ["client", "server"],
  ["server", "client"],
])("closes one half, to the %s, and the other direction goes on", async (side, other) => {
  const { link, ...ends } = await through();
  link.halfClose(side);
  await until(() => ends[side].ended);
  ends[side].socket.write("still here");
  await until(() => ends[other].heard === "still here");
  ends[other].socket.write("nobody hears this");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(ends[side].heard).toBe("");
  expect(ends[other].ended).toBe(false);
});

test("resets", async () => {
  const { client, server, link } = await through();
  link.reset();
  await until(() => client.closed && server.closed);
});

test("refuses new connections and keeps old ones, until it accepts again", async () => {
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
  await until(() => server.heard === "still here");
  await proxy.refuse(false);
  expect(await attempt()).toBe("connected");
});

test("shows each chunk before it is passed on, and waits for the answer", async () => {
  const seen: string[] = [];
  let goOn = (): void => undefined;
  const { client, server } = await through({
    onChunk(link, from, chunk) {
      seen.push(`${link.index} ${from} ${String(chunk)}`);
      return from === "server" ? undefined : new Promise<void>((resolve) => (goOn = resolve));
    },
  });
  client.socket.write("question");
  await until(() => seen.length === 1);
  server.socket.write("beside");
  await until(() => client.heard === "beside"); // the directions do not wait for each other
  client.socket.end(" more");
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(server.heard).toBe("");
  goOn();
  await until(() => seen.length === 3 && server.heard !== "");
  expect(server.heard).toBe("question");
  expect(server.ended).toBe(false);
  goOn();
  await until(() => server.ended);
  expect(server.heard).toBe("question more");
  expect(seen).toEqual(["0 client question", "0 server beside", "0 client  more"]);
});

test("resets a connection whose chunk is rejected", async () => {
  const { client, server } = await through({ onChunk: () => Promise.reject(new Error("no")) });
  client.socket.write("question");
  await until(() => client.closed && server.closed);
  expect(server.heard).toBe("");
});
