/** Tasks whose work is SQL. The server itself says that a query runs, and that it is gone. */
import { get, type ClientRequest } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { handler } from "../src/http/index.ts";
import {
  background,
  group,
  hedge,
  map,
  Semaphore,
  SingleFlight,
  stopped,
  withCancel,
  withLedger,
  type Context,
} from "../src/index.ts";
import { withContext } from "../src/pg/index.ts";
import { serve } from "./raw-http.ts";
import { mark, observer, testClient, testPool, until } from "./support/postgres.ts";
import { rejection } from "./support/reports.ts";
import { describeWith } from "./support/server.ts";

/** Creates a pool whose queries the server counts, and functions that run the usual ones. */
async function database() {
  const db = withContext(testPool());
  const server = await observer();
  const text = mark();
  return {
    db,
    text,
    long: (ctx: Context) => db.query(ctx, `select pg_sleep(90) ${text}`), // longer than a test may take
    running: () => server.running(text),
    untilRunning: (queries: number) => until(async () => (await server.running(text)) === queries),
  };
}

describeWith("postgres")("on a real server,", () => {
  test("the queries of a group are gone when it rejects with the error of another query", async () => {
    const { db, long, running, untilRunning } = await database();
    const failing = group(background(), (g) => {
      void g.go(long);
      void g.go(long);
      void g.go(async (ctx) => {
        await untilRunning(2);
        await db.query(ctx, "select 1 / 0");
      });
    });
    expect(await rejection(failing)).toMatchObject({ code: "22012" });
    expect(await running()).toBe(0);
  });

  test("the slow attempt of a hedge is gone when its receipt says so", async () => {
    const { long, running, untilRunning } = await database();
    const ctx = withLedger(background());
    let attempts = 0;
    const task = async (ctx: Context): Promise<string> => {
      if (++attempts === 1) await long(ctx);
      await untilRunning(1);
      return "quick";
    };
    expect(await hedge(ctx, task, { after: 1, max: 2 })).toBe("quick");
    const receipts = await stopped(ctx);
    expect(await running()).toBe(0);
    expect(receipts).toMatchObject([
      { kind: "pg.query", state: "stopped" },
      { kind: "hedge", state: "stopped" },
    ]);
  });

  test("a loop over map is left when the queries of its calls and its stream are gone", async () => {
    const { db, text, long, running, untilRunning } = await database();
    const rows = db.stream<{ n: number }>(
      background(),
      `select generate_series(1, 1000000000) as n ${text}`,
    );
    const ask = async (ctx: Context, { n }: { n: number }): Promise<number> => {
      if (n > 1) await long(ctx);
      return n;
    };
    for await (const n of map(background(), rows, ask, { limit: 2 })) {
      expect(n).toBe(1);
      await untilRunning(3); // two calls, and the server that sends rows
      break;
    }
    expect(await running()).toBe(0);
  });

  test("a semaphore gives tokens to the next caller when the query of a canceled one is gone", async () => {
    const { long, running, untilRunning } = await database();
    const semaphore = new Semaphore(1);
    using first = withCancel(background());
    const canceled = rejection(semaphore.use(first, long));
    await untilRunning(1);
    const next = semaphore.use(background(), running);
    first.cancel();
    expect(await next).toBe(0);
    expect(await canceled).toBe(first.err());
  });
});

describeWith("postgres")("the query of a flight that two HTTP clients wait for", () => {
  /** Starts a server whose requests all join one flight, and two clients that wait for it. */
  async function twoClients(query: (ctx: Context) => Promise<unknown>) {
    const flights = new SingleFlight<string, unknown>();
    const ended: unknown[] = [];
    let joined = 0;
    const server = await serve(
      handler(async (ctx, _req, res) => {
        const answer = flights.do(ctx, "report", query);
        joined++;
        ended.push(await answer.catch(() => ctx.err()));
        res.end(JSON.stringify(await answer));
      }),
    );
    onTestFinished(() => server[Symbol.asyncDispose]());
    const clients: ClientRequest[] = [];
    for (let i = 0; i < 2; i++) {
      clients.push(get({ port: server.port, agent: false }).on("error", () => undefined));
      await until(() => joined === i + 1);
    }
    return { first: clients[0]!, second: clients[1]!, ended };
  }

  test("goes on when the first client leaves, and answers the second", async () => {
    const { db, text, running, untilRunning } = await database();
    const lock = process.pid;
    const holder = await testClient();
    await holder.query("select pg_advisory_lock($1)", [lock]);
    const waiting = `select 7 as n, pg_advisory_xact_lock($1)::text ${text}`;
    const { first, second, ended } = await twoClients(async (ctx) => {
      return (await db.query<{ n: number }>(ctx, waiting, [lock])).rows[0]?.n;
    });
    await untilRunning(1);
    const status = new Promise((resolve) => {
      second.on("response", (res) => resolve(res.resume().statusCode));
    });
    first.destroy();
    await until(() => ended.length === 1);
    expect(await running()).toBe(1);
    await holder.query("select pg_advisory_unlock($1)", [lock]);
    expect(await status).toBe(200);
    expect(ended).toMatchObject([{ name: "AbortError" }, 7]);
  });

  test("is gone after both clients have left", async () => {
    const { long, untilRunning } = await database();
    const { first, second, ended } = await twoClients(long);
    await untilRunning(1);
    first.destroy();
    second.destroy();
    await until(() => ended.length === 2);
    await untilRunning(0);
  });
});
