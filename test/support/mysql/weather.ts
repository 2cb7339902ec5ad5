/** Networks and servers that stall, reset or fail, tested on a server of the test file's own. */
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import type { MysqlServer } from "../../../servers/mysql-server.ts";
import { background, CanceledError, stopped, withCancel, withLedger } from "../../../src/index.ts";
import { mark, observer, until } from "./servers.ts";
import { startProxy, type Proxy } from "../proxy.ts";
import { unhandledRejections } from "../race.ts";
import type { TestDriver, TestPool } from "./driver.ts";

const STOP_TIMEOUT = 500;
const LONG = 60;

export function describeWeather(driver: TestDriver): void {
  vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
  const unhandled = unhandledRejections();

  describe.skipIf(driver.server.missing() !== undefined)(
    `eightysix/${driver.name} on a failing network, on ${driver.server.title}`,
    () => {
      let server: MysqlServer;
      beforeAll(async () => {
        server = await driver.server.start();
      });
      afterAll(async () => {
        await server.stop();
        expect(unhandled).toEqual([]);
      });

      const through = ({ host, port }: { host: string; port: number }): string => {
        const url = new URL(server.url);
        url.hostname = host;
        url.port = String(port);
        return url.href;
      };

      interface Canceled {
        error: unknown;
        state: string | undefined;
        took: number;
        pool: TestPool;
        proxy: Proxy;
        text: string;
      }

      /**
       * Runs a long statement through a proxy and cancels it. `onLink` is called for each connection:
       * the first is that of the statement, the second is the kill connection. `beforeCancel` is called
       * right before the cancel.
       */
      async function canceled(
        onLink: Parameters<typeof startProxy>[1],
        beforeCancel: (proxy: Proxy) => void | Promise<void> = () => undefined,
        form: "query" | "stream" = "query",
      ): Promise<Canceled> {
        const proxy = await startProxy(server, onLink);
        const pool = driver.pool({ url: through(proxy), max: 1, stopTimeout: STOP_TIMEOUT });
        const look = await observer(server.url);
        const text = `select sleep(${LONG}) ${mark()}`;
        using ctx = withCancel(withLedger(background()));
        const work = form === "query" ? pool.db.query(ctx, text) : pool.db.stream(ctx, text).next();
        const answer = work.catch((error: unknown) => error);
        await until(async () => (await look.running(text)) === 1);
        await beforeCancel(proxy);
        const start = performance.now();
        ctx.cancel();
        const error = await answer;
        const took = performance.now() - start;
        const receipts = await stopped(ctx);
        const state = receipts.find(({ what }) => what === text)?.state;
        return { error, state, took, pool, proxy, text };
      }

      async function expectWhole(pool: TestPool): Promise<void> {
        expect(await pool.query("select 1 as n")).toMatchObject([{ n: 1 }]);
        await until(() => pool.idle() === 1 && pool.total() === 1 && pool.waiting() === 0);
      }

      test("a statement is stopped through a proxy that works", async () => {
        const { error, state, took, pool } = await canceled(() => undefined);
        expect(error).toBeInstanceOf(CanceledError);
        expect(state).toBe("stopped");
        expect(took).toBeLessThan(5_000);
        await expectWhole(pool);
      });

      test.each(["query", "stream"] as const)(
        "a %s is abandoned after the stop timeout if the kill connection stalls",
        async (form) => {
          const { error, state, took, pool } = await canceled(
            (link) => {
              if (link.index === 1) link.stall();
            },
            undefined,
            form,
          );
          expect(error).toBeInstanceOf(CanceledError);
          expect(state).toBe("abandoned");
          expect(took).toBeGreaterThanOrEqual(STOP_TIMEOUT - 5);
          expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
          await expectWhole(pool);
        },
      );

      test("a query is stopped later if the kill connection is refused for a while", async () => {
        const { error, state, pool } = await canceled(
          () => undefined,
          async (proxy) => {
            await proxy.refuse();
            setTimeout(() => void proxy.refuse(false), 30);
          },
        );
        expect(error).toBeInstanceOf(CanceledError);
        expect(state).toBe("stopped");
        await expectWhole(pool);
      });

      test("a query is abandoned at once if the kill connection is reset after the KILL was sent", async () => {
        const { error, state, took, pool } = await canceled({
          onChunk: (link, from, chunk) => {
            if (from === "client" && chunk.includes("KILL QUERY")) link.reset();
          },
        });
        expect(error).toBeInstanceOf(CanceledError);
        expect(state).toBe("abandoned");
        expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
        await expectWhole(pool);
      });

      test("a connection is destroyed if the kill connection is refused, and the next one works", async () => {
        const { error, took, pool, proxy } = await canceled(
          () => undefined,
          (proxy) => proxy.refuse(),
        );
        expect(error).toBeInstanceOf(CanceledError);
        expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
        await proxy.refuse(false);
        await expectWhole(pool);
        using ctx = withCancel(background());
        const text = `select sleep(${LONG}) ${mark()}`;
        const again = pool.db.query(ctx, text).catch((e: unknown) => e);
        const look = await observer(server.url);
        await until(async () => (await look.running(text)) === 1);
        ctx.cancel();
        expect(await again).toBe(ctx.err());
        await expectWhole(pool);
      });

      test("a kill connection that opens slowly stops the statement within the stop timeout", async () => {
        const proxy = await startProxy(server, (link) => {
          if (link.index === 1) link.delay(400);
        });
        const more = { connectTimeout: 1_000 }; // shorter than the delayed handshake
        const pool = driver.pool({ url: through(proxy), max: 1, stopTimeout: 10_000, more });
        const look = await observer(server.url);
        using ctx = withCancel(withLedger(background()));
        const text = `select sleep(${LONG}) ${mark()}`;
        const work = pool.db.query(ctx, text).catch((e: unknown) => e);
        await until(async () => (await look.running(text)) === 1);
        ctx.cancel();
        expect(await work).toBe(ctx.err());
        expect((await stopped(ctx)).find(({ what }) => what === text)?.state).toBe("stopped");
        await expectWhole(pool);
      });

      test("a kill connection that breaks while it is idle is opened again", async () => {
        const { state, pool, proxy } = await canceled(() => undefined);
        expect(state).toBe("stopped");
        proxy.links[1]?.reset();
        await until(() => proxy.open === 1);
        using ctx = withCancel(withLedger(background()));
        const text = `select sleep(${LONG}) ${mark()}`;
        const again = pool.db.query(ctx, text).catch((e: unknown) => e);
        const look = await observer(server.url);
        await until(async () => (await look.running(text)) === 1);
        ctx.cancel();
        expect(await again).toBe(ctx.err());
        expect((await stopped(ctx)).find(({ what }) => what === text)?.state).toBe("stopped");
        expect(proxy.links).toHaveLength(3);
      });

      test.each(["query", "stream"] as const)(
        "a %s whose connection stalls is stopped on the server, and abandoned after the stop timeout",
        async (form) => {
          const { error, state, took, pool, text } = await canceled(
            () => undefined,
            (proxy) => proxy.links[0]?.stall(),
            form,
          );
          const look = await observer(server.url);
          expect(error).toBeInstanceOf(CanceledError);
          expect(state).toBe("abandoned");
          expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
          expect(await look.running(text)).toBe(0);
          await expectWhole(pool);
        },
      );

      test.each(["query", "stream"] as const)(
        "a %s whose connection is reset rejects at once, and the pool opens another connection",
        async (form) => {
          const { error, took, pool } = await canceled(
            () => undefined,
            (proxy) => proxy.links[0]?.reset(),
            form,
          );
          expect(error).toBeInstanceOf(Error);
          expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
          await expectWhole(pool);
        },
      );

      test("a query is abandoned after the stop timeout if both connections stall, and the pool works again", async () => {
        const { error, took, pool } = await canceled(
          (link) => {
            if (link.index === 1) link.stall();
          },
          (proxy) => proxy.links[0]?.stall(),
        );
        expect(error).toBeInstanceOf(CanceledError);
        expect(took).toBeLessThan(STOP_TIMEOUT + 2_000);
        await expectWhole(pool);
      });

      test("a query that waits for a connection is served after that connection was destroyed", async () => {
        const proxy = await startProxy(server);
        const pool = driver.pool({ url: through(proxy), max: 1, stopTimeout: STOP_TIMEOUT });
        await pool.query("select 1");
        using ctx = withCancel(background());
        const text = `select sleep(${LONG}) ${mark()}`;
        const first = pool.db.query(ctx, text).catch((e: unknown) => e);
        const look = await observer(server.url);
        await until(async () => (await look.running(text)) === 1);
        proxy.links[0]?.stall();
        const next = pool.db.query(background(), "select 2 as n");
        ctx.cancel();
        expect(await first).toBe(ctx.err());
        expect(await next).toEqual([{ n: 2 }]);
      });

      test("a transaction whose connection stalls rejects within two stop timeouts", async () => {
        const proxy = await startProxy(server);
        const pool = driver.pool({ url: through(proxy), max: 1, stopTimeout: STOP_TIMEOUT });
        using ctx = withCancel(background());
        const work = pool.db
          .transaction(ctx, async (tx) => {
            await tx.query(ctx, "select 1");
            proxy.links[0]?.stall();
            await tx.query(ctx, `select sleep(${LONG})`);
          })
          .catch((e: unknown) => e);
        await until(() => pool.total() === 1 && proxy.links.length === 1);
        setTimeout(() => ctx.cancel(), 100);
        const start = performance.now();
        expect(await work).toBe(ctx.err());
        expect(performance.now() - start).toBeLessThan(2 * STOP_TIMEOUT + 2_000);
        await expectWhole(pool);
      });

      test("running and canceled statements reject if the server is killed", async () => {
        const doomed = await driver.server.start();
        onTestFinished(() => doomed.stop());
        const pool = driver.pool({ url: doomed.url, max: 3, stopTimeout: STOP_TIMEOUT });
        const look = await observer(doomed.url);
        const text = `select sleep(${LONG}) ${mark()}`;
        using ctx = withCancel(background());
        const running = pool.db.query(background(), text).catch((e: unknown) => e);
        const canceled = pool.db.query(ctx, text).catch((e: unknown) => e);
        const streamed = pool.db
          .stream(ctx, text)
          .next()
          .catch((e: unknown) => e);
        await until(async () => (await look.running(text)) === 3);
        ctx.cancel();
        doomed.kill();
        for (const outcome of [running, canceled, streamed]) {
          expect(await outcome).toBeInstanceOf(Error);
        }
        await until(() => pool.idle() === pool.total());
      });
    },
  );
}
