/** Code of a program that leaves something behind. A stack leads to the line in this file. */
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";
import {
  afterFunc,
  sleep,
  withCancel,
  withTimeout,
  type CancelableContext,
  type Context,
} from "../../src/index.ts";

export function leakTimer(): NodeJS.Timeout {
  return setTimeout(() => undefined, 54_321);
}

export function leakContext(parent: Context): CancelableContext {
  const ctx = withTimeout(parent, 60_000);
  ctx.signal.throwIfAborted(); // a read of the signal watches the context
  return ctx;
}

export function leakCallback(ctx: Context): () => unknown {
  const stop = afterFunc(ctx, () => undefined);
  return stop;
}

export function leakListener(ctx: Context): () => void {
  const { signal } = ctx;
  const listener = (): void => undefined;
  signal.addEventListener("abort", listener);
  return () => {
    signal.removeEventListener("abort", listener);
  };
}

export function leakSleep(parent: Context): CancelableContext {
  const ctx = withCancel(parent);
  sleep(ctx, 60_000).catch(() => undefined);
  return ctx;
}

export async function leakServer(): Promise<Server> {
  const server = createServer((_req, res) => res.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export async function leakConnection(server: Server): Promise<Socket> {
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}
