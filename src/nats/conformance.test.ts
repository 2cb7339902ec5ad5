/** eightysix/nats and the stopping protocol. */
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, test } from "vitest";
import { background, sleep, type Context } from "../index.ts";
import { hasServer, serverUrl } from "../../test/support/server.ts";
import { describeAdapter, type Task } from "../testing/conformance/index.ts";
import { CANCEL_KIND } from "../wire/index.ts";
import { withContext, type ContextConnection } from "./index.ts";

if (hasServer("nats")) {
  const subject = `conformance.${process.pid}`;
  const url = new URL(serverUrl("nats"));
  const running = new Set<string>();

  let responder: NatsConnection;
  beforeAll(async () => {
    responder = await connect({ servers: url.host });
    withContext(responder, { headers }).serve(background(), subject, async (ctx, message) => {
      const { i, ms, tag } = message.json<Task>();
      if (tag === "fail") throw Object.assign(new Error("refused"), { code: "REFUSED" });
      running.add(tag);
      try {
        await sleep(ctx, ms);
      } finally {
        running.delete(tag);
      }
      return JSON.stringify(i);
    });
    responder.subscribe(`${subject}.isRunning`, {
      callback: (_, message) => {
        message.respond(JSON.stringify(running.has(message.string())));
      },
    });
    await responder.flush();
  });
  afterAll(() => responder.close());

  const run = async (
    bus: ContextConnection<NatsConnection>,
    ctx: Context,
    task: Task,
  ): Promise<unknown> => (await bus.request(ctx, subject, JSON.stringify(task))).json();

  let observer: NatsConnection;
  beforeAll(async () => {
    observer = await connect({ servers: url.host });
  });
  afterAll(() => observer.close());

  describeAdapter(
    { describe, test },
    {
      name: "eightysix/nats",
      server: { host: url.hostname, port: Number(url.port) },
      async open({ host, port, stopTimeout }) {
        const connection = await connect({
          servers: `${host}:${port}`,
          ignoreClusterUpdates: true,
          maxReconnectAttempts: -1,
          reconnectTimeWait: 20,
        });
        const bus = withContext(connection, { headers, stopTimeout });
        return {
          db: { ...bus, flush: () => connection.flush() },
          close: () => connection.close(),
        };
      },
      run,
      async quick(bus, ctx, i) {
        const reply = await run(bus, ctx, { i, ms: 0, tag: "quick" });
        await bus.flush(); // the driver sends an UNSUB after a reply
        return reply;
      },
      async isRunning(tag) {
        return (await observer.request(`${subject}.isRunning`, tag)).json<boolean>();
      },
      isStopRequest: (bytes) => bytes.includes(CANCEL_KIND),
      fail: (bus, ctx) => run(bus, ctx, { i: 0, ms: 0, tag: "fail" }),
      isFailure: (error) => (error as { code?: unknown }).code === "REFUSED",
      documented: { waits: false, shared: true },
    },
  );
} else {
  describe.skip("eightysix/nats keeps to the stopping protocol", () => {
    test("needs NATS", () => undefined);
  });
}
