/** HTTP/1.1: carries out one plan on one connection. */
import { setTimeout as delay } from "node:timers/promises";
import { serve, type Client } from "../../raw-http.ts";
import { until } from "../wait.ts";
import { upload } from "./upload.ts";
import { ResponseParser } from "./response-parser.ts";
import { PATIENCE, type Leave, type Pace, type RequestPlan, type VisitPlan } from "./plan.ts";
import type { Subject, Visited } from "./stage.ts";

export const serveHttp1: Subject["serve"] = async (listener) => {
  const server = await serve(listener);
  return {
    sockets: server.sockets,
    visit: async (plan) => await visit(await server.client(), plan),
    async connect() {
      const client = await server.client();
      return {
        async ask(path) {
          client.received = "";
          client.get(path);
          await client.answer();
          return client.statuses[0] ?? NaN;
        },
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

async function visit(client: Client, plan: VisitPlan): Promise<Visited> {
  const { socket } = client;
  const parser = new ResponseParser();
  const gone = new AbortController();
  let left: Visited["left"] | undefined;
  let sent = 0;

  const leave = (how: Leave | "server"): void => {
    if (left !== undefined) return;
    left = { how, at: performance.now() };
    clearTimeout(moment);
    gone.abort();
    if (how === "server" || how === "stays") socket.destroy();
    else client.leave(how);
    // A client that has only half-closed still reads the responses.
    if (how === "half-close") socket.resume();
  };
  const pause = (ms: number) =>
    ms > 0 ? delay(ms, undefined, { signal: gone.signal }).catch(() => undefined) : undefined;
  /** Returns whether all of it was sent. */
  const write = async (text: string, pace: Pace): Promise<boolean> => {
    const size = pace === "whole" ? text.length : Math.ceil(text.length / 4);
    for (let at = 0; at < text.length; at += size) {
      if (left !== undefined || (pace === "stalled" && at > 0)) return false;
      socket.write(text.slice(at, at + size), "latin1");
      if (pace === "trickled") await pause(1 + (at % 3));
    }
    return true;
  };
  const send = async ({ id, head, body }: RequestPlan): Promise<boolean> => {
    const [type, content] = body ? upload(body) : ["", ""];
    const about = body && `Content-Length: ${content.length}\r\nContent-Type: ${type}\r\n`;
    const text = `${body ? "POST" : "GET"} /?${id} HTTP/1.1\r\nHost: chaos\r\n${about ?? ""}\r\n`;
    if (!(await write(text, head))) return false;
    return body === undefined || (await write(content, body.pace));
  };

  socket.on("data", (bytes: Buffer) => parser.read(bytes));
  socket.on("end", () => leave("server")).on("close", () => leave("server"));
  if (plan.isSlowReader) socket.pause();
  const moment = setTimeout(() => {
    if (plan.leaves === "stays") socket.resume();
    else leave(plan.leaves);
  }, plan.moment);

  for (const request of plan.requests) {
    await pause(request.after);
    if (left !== undefined || !(await send(request))) break;
    sent++;
    if (!plan.pipelined)
      await until(() => left !== undefined || parser.complete.length >= sent, PATIENCE);
  }
  if (plan.leaves === "stays") {
    await until(() => left !== undefined || parser.complete.length >= sent, PATIENCE);
    leave("stays");
  }
  // A socket is `closed` some time before it says so by an event.
  await until(() => socket.closed && left !== undefined, PATIENCE);
  if (left === undefined) throw new Error("the connection has closed without `leave`");
  return { plan, responses: parser.complete, left, sent };
}
