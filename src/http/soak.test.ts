import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { serve, until, type Served } from "../../test/raw-http.ts";
import { afterFunc, cause, sleep, startWork, working, type Context } from "../index.ts";
import { handler } from "./index.ts";

const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000);
let state = seed;
/** Not `Math.random`: a failure can be repeated with its seed. */
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

const CLIENTS = 300;
const RESIDENT = "/resident";

/** Each request does one of the things that handlers do, watched or not. */
async function work(ctx: Context, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (random(3) === 0) afterFunc(ctx, () => undefined);
  if (random(3) === 0) ctx.signal.addEventListener("abort", () => undefined);
  if (random(2)) req.resume();
  const job = startWork(ctx, "soak");
  try {
    switch (req.url === RESIDENT ? 0 : random(6)) {
      case 0:
        res.end("at once");
        break;
      case 1:
        await sleep(ctx, random(20));
        res.end("later");
        break;
      case 2:
        for (let i = 0; i < 5; i++) {
          res.write("part ");
          await sleep(ctx, random(5));
        }
        res.end();
        break;
      case 3:
        res.end(Buffer.alloc(1 << 20));
        break;
      case 4:
        await sleep(ctx, random(10));
        throw new Error("a bug");
      default:
        await sleep(ctx, 30_000);
    }
  } finally {
    job.end();
  }
}

async function visit(server: Served): Promise<void> {
  await delay(random(1_000));
  const client = await server.client();
  for (let i = random(4); i >= 0; i--) {
    if (random(2)) client.get();
    else client.post("x".repeat(random(30_000)), random(4) === 0 ? 100 : 0);
    if (random(2)) await delay(random(20));
  }
  const patient = random(2) === 0;
  if (patient) await delay(random(200));
  client.leave((["FIN", "RST", "half-close"] as const)[random(3)]!);
}

test(`${CLIENTS} clients at random (SOAK_SEED=${seed}) leave nothing behind`, async () => {
  const escaped: unknown[] = [];
  const onEscape = (error: unknown): unknown => escaped.push(error);
  process.on("unhandledRejection", onEscape).on("warning", onEscape);
  const contexts: Context[] = [];
  await using server = await serve(
    handler(
      (ctx, req, res) => {
        contexts.push(ctx);
        return work(ctx, req, res);
      },
      { timeout: 300, onError: () => undefined },
    ),
  );
  const resident = await server.client(); // stays: its connection must gather nothing
  resident.get(RESIDENT);
  await resident.answer();
  const [socket] = [...server.sockets];
  await until(() => contexts[0]?.err() !== undefined);
  const before = count(socket!);
  const visits = Array.from({ length: CLIENTS }, () => visit(server));
  for (let i = 2; i < 30; i++) {
    resident.get(RESIDENT);
    await resident.answer(i);
  }
  await Promise.all(visits);
  await until(() => contexts.every((ctx) => ctx.err() !== undefined), "no context lives");
  await until(() => server.sockets.size === 1, "only the resident's connection is open");
  expect(contexts.flatMap(working)).toEqual([]);
  expect(contexts.length).toBeGreaterThan(CLIENTS);
  const causes = new Set(contexts.map((ctx) => (cause(ctx) as Error).name));
  expect(causes).toEqual(new Set(["ClientDisconnected", "RequestFinished", "LocalTimeout"]));
  expect(count(socket!)).toBe(before);
  expect(escaped).toEqual([]);
  process.off("unhandledRejection", onEscape).off("warning", onEscape);
}, 60_000);

function count(socket: NonNullable<IncomingMessage["socket"]>): number {
  return socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
}
