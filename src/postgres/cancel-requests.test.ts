import { getEventListeners } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { CancelRequests } from "./cancel-requests.ts";

test("the cancel requests of a query leave no listener on the signal, however often they are sent", async () => {
  const server = createServer((socket) => socket.once("data", () => socket.end()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const requests = new CancelRequests();
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) {
    const options = { host: ["127.0.0.1"], port: [port] };
    expect(await requests.send(options, { pid: 1, secret: 2 }, signal)).toBe(true);
  }
  expect(getEventListeners(signal, "abort")).toEqual([]);
});
