/** HTTP/2 in clear text: carries out one plan on one session, with a stream for each request. */
import { once } from "node:events";
import {
  connect as connectHttp2,
  constants,
  createServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from "node:http2";
import { connect as connectTcp, type AddressInfo, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../wait.ts";
import { PATIENCE, type Leave, type RequestPlan, type VisitPlan } from "./plan.ts";
import type { ReceivedResponse, Subject, Visited } from "./stage.ts";

export const serveHttp2: Subject["serve"] = async (listener) => {
  const server = createServer(listener as never).listen(0, "127.0.0.1");
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const open = async () => {
    const socket = connectTcp({ port, host: "127.0.0.1" });
    const session = connectHttp2("http://chaos", { createConnection: () => socket });
    session.on("error", () => undefined);
    await once(session, "connect");
    return { session, socket };
  };
  return {
    sockets,
    visit: async (plan) => await visit(await open(), plan),
    async connect() {
      const { session } = await open();
      return {
        async ask(path) {
          const stream = session.request({ ":path": path }).resume();
          const [headers] = (await once(stream, "response")) as [{ ":status"?: number }];
          await until(() => stream.closed);
          return headers[":status"] ?? NaN;
        },
      };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
};

/**
 * The most bytes of a body that the handler does not read. More would not fit into the flow-control
 * window, and Node does not end such a stream before its client resets it.
 */
const UNREAD = 10_000;

/** How the client leaves: with its connection, by a reset of each stream, or by GOAWAY. */
const LEAVE: Record<Exclude<Leave, "stays">, (session: ClientHttp2Session, tcp: Socket) => void> = {
  FIN: (_, tcp) => tcp.destroy(),
  RST: () => undefined, // `leave` has reset the streams
  "half-close": (session) => session.destroy(undefined, constants.NGHTTP2_CANCEL),
};

async function visit(
  { session, socket }: { session: ClientHttp2Session; socket: Socket },
  plan: VisitPlan,
): Promise<Visited> {
  const responses: (ReceivedResponse | undefined)[] = [];
  const streams: ClientHttp2Stream[] = [];
  const gone = new AbortController();
  let left: Visited["left"] | undefined;
  let sent = 0;
  let isPaused = plan.isSlowReader;

  const leave = (how: Leave | "server"): void => {
    if (left !== undefined) return;
    left = { how, at: performance.now() };
    clearTimeout(moment);
    gone.abort();
    if (how === "RST") for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    for (const stream of streams) stream.resume(); // or it would never close
    if (how !== "server" && how !== "stays") LEAVE[how](session, socket);
    session.close();
  };
  const pause = (ms: number) =>
    ms > 0 ? delay(ms, undefined, { signal: gone.signal }).catch(() => undefined) : undefined;
  /** Returns whether all of it was sent. */
  const send = async ({ id, body: planned, reads }: RequestPlan): Promise<boolean> => {
    const most = reads ? Infinity : UNREAD;
    const body = planned && { ...planned, length: Math.min(planned.length, most) };
    const method = body === undefined ? "GET" : "POST";
    const about = body && { "content-length": body.length, "content-type": "text/plain" };
    const stream = session.request(
      { ":path": `/?${id}`, ":method": method, ...about },
      { endStream: body === undefined },
    );
    const index = streams.push(stream) - 1;
    let status = NaN;
    stream.on("error", () => undefined);
    stream.on("response", (headers) => (status = Number(headers[":status"])));
    stream.on("end", () => {
      if (stream.rstCode === 0 && status > 0) responses[index] = { status, at: performance.now() };
    });
    if (!isPaused) stream.resume();
    if (body === undefined) return true;
    const size = body.pace === "whole" ? body.length : Math.ceil(body.length / 4);
    for (let at = 0; at < body.length; at += size) {
      if (left !== undefined || stream.closed || (body.pace === "stalled" && at > 0)) return false;
      stream.write("b".repeat(Math.min(size, body.length - at)));
      if (body.pace === "trickled") await pause(1 + (at % 3));
    }
    if (left === undefined && !stream.closed) stream.end();
    return left === undefined;
  };

  session.on("close", () => leave("server"));
  const moment = setTimeout(() => {
    isPaused = false;
    if (plan.leaves === "stays") for (const stream of streams) stream.resume();
    else leave(plan.leaves);
  }, plan.moment);

  const areClosed = (): boolean =>
    left !== undefined || streams.every(({ destroyed }) => destroyed);
  for (const request of plan.requests) {
    await pause(request.after);
    if (left !== undefined || request.head === "stalled" || !(await send(request))) break;
    sent++;
    if (!plan.pipelined) await until(areClosed, PATIENCE);
  }
  if (plan.leaves === "stays") {
    await until(areClosed, PATIENCE);
    leave("stays");
  }
  // A socket is `closed` some time before it says so by an event.
  await until(() => socket.closed && left !== undefined, PATIENCE);
  if (left === undefined) throw new Error("the session has closed without `leave`");
  return { plan, responses, left, sent };
}
