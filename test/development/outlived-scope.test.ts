/** Work that is still running when a scope inside its request ends as finished. */
import pg from "pg";
import { expect, onTestFinished, describe, test } from "vitest";
import { scopeOf } from "../../src/core/foreign.ts";
import { isWatched } from "../../src/core/tree.ts";
import { fetch } from "../../src/fetch/index.ts";
import { handler } from "../../src/http/index.ts";
import {
  afterFunc,
  all,
  background,
  detach,
  developmentMode,
  group,
  hedge,
  race,
  shield,
  sleep,
  startWork,
  SingleFlight,
  withCancel,
  within,
  withLedger,
  withTimeout,
  type Context,
  type Receipt,
  type WorkInfo,
} from "../../src/index.ts";
import { withContext as pgContext } from "../../src/pg/index.ts";
import { serve as serveHttp, until } from "../raw-http.ts";
import { inDevelopment, messagesOn } from "../support/development.ts";
import { postgresUrl } from "../support/postgres.ts";
import { testWith } from "../support/server.ts";
import { turn } from "../support.ts";
import { serve } from "../support/web.ts";

const warnings = inDevelopment();
const CODE = "EIGHTYSIX_OUTLIVED_SCOPE";

/** Work that takes as long as its context lives. It stands for a query. */
async function query(ctx: Context): Promise<void> {
  const work = startWork(ctx, "test.query", "select 1");
  try {
    await sleep(ctx, Infinity);
  } catch {
    await turn(); // the server confirms the stop
  } finally {
    work.end();
  }
}

const job = (): Context => withLedger(background());
const codes = (): string[] => warnings.map(({ code }) => code);

/** The one call site that all cases share would be reported once. */
const sites: Record<string, (ctx: Context) => Promise<void>> = {
  "a block with using": async (ctx) => {
    using inner = withTimeout(ctx, 1_000);
    void query(inner);
    await turn();
  },
  "a function with using that returns a promise": async (ctx) => {
    const ask = async (): Promise<void> => {
      using inner = withCancel(ctx);
      // eslint-disable-next-line @typescript-eslint/return-await -- the mistake
      return query(inner);
    };
    await ask();
  },
  "cancel({ finished: true })": async (ctx) => {
    const inner = withCancel(ctx);
    void query(inner);
    await turn();
    inner.cancel({ finished: true });
  },
  "a group": async (ctx) => {
    await group(ctx, async (g) => {
      void query(g.ctx);
      await turn();
    });
  },
  all: async (ctx) => {
    await all(ctx, [(inner) => void query(inner)]);
  },
  within: async (ctx) => {
    await within(ctx, 1_000, (inner) => void query(inner));
  },
  shield: async (ctx) => {
    await shield(ctx, 1_000, (inner) => void query(inner));
  },
  detach: async (ctx) => {
    detach(ctx, 1_000, (inner) => void query(inner));
    await turn();
  },
  "a flight": async (ctx) => {
    await new SingleFlight<string, void>().do(ctx, "k", (inner) => void query(inner));
  },
};

describe("work that outlives", () => {
  test.each(Object.entries(sites))("%s is reported", async (_, run) => {
    const published = messagesOn<{ work: WorkInfo; receipt: Receipt; stack: string }>(
      "eightysix:work.outlived-scope",
    );
    await run(job());
    await turn();
    await turn();
    expect(codes()).toEqual([CODE]);
    expect(warnings[0]?.message).toMatch(/^test\.query was still running when the block or/);
    expect(warnings[0]?.detail).toMatch(/^ +at .*outlived-scope\.test\.ts[^]*select 1$/);
    expect(warnings[0]?.detail).not.toContain("vitest");
    expect(published).toMatchObject([
      { work: { kind: "test.query" }, receipt: { state: "running" } },
    ]);
  });
});

describe("work that the end of its scope stops at once is reported", () => {
  test.each<[string, (ctx: Context, stop: () => void) => void]>([
    ["by a callback", (ctx, stop) => void afterFunc(ctx, stop)],
    ["by an abort listener", (ctx, stop) => void ctx.signal.addEventListener("abort", stop)],
  ])("%s", async (_, onEnd) => {
    const published = messagesOn<{ receipt: Receipt }>("eightysix:work.outlived-scope");
    for (const state of ["stopped", "abandoned"] as const) {
      using inner = withCancel(job());
      onEnd(inner, () => void work.end(state));
      const work = startWork(inner, "test.query");
    }
    await turn();
    expect(published).toMatchObject([
      { receipt: { state: "stopped", reason: "finished" } },
      { receipt: { state: "abandoned", reason: "finished" } },
    ]);
  });

  testWith("postgres")("a query that waits for an idle connection of a pool", async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl() });
    onTestFinished(() => pool.end());
    const db = pgContext(pool);
    const published = messagesOn("eightysix:work.outlived-scope");
    const ask = async (ctx: Context): Promise<unknown> => {
      using inner = withTimeout(ctx, 1_000);
      // eslint-disable-next-line @typescript-eslint/return-await -- the mistake
      return db.query(inner, "select 1");
    };
    await db.query(background(), "select 1");
    // Outside a promise, as in a handler: the pool grants in the next tick, before promises go on.
    await new Promise<void>((resolve) => {
      setImmediate(() => void ask(job()).catch(() => resolve()));
    });
    expect(published).toMatchObject([{ work: { kind: "pg.wait" } }]);
    await turn();
    expect(warnings[0]?.message).toMatch(
      /^a call that waited for a connection \(pg\.wait\) was still/,
    );
  });
});

test("a call site is reported once", async () => {
  for (let i = 0; i < 3; i++) {
    using inner = withCancel(job());
    void query(inner);
    await turn();
  }
  await turn();
  expect(codes()).toEqual([CODE]);
});

test("the report of a fetch whose body was not read says so", async () => {
  await using web = await serve((res) => void res.write("part"));
  {
    using inner = withCancel(job());
    await fetch(inner, web.url);
  }
  await turn();
  expect(codes()).toEqual([CODE]);
  expect(warnings[0]?.message).toContain(
    "await it, and read or cancel the body of its response there",
  );
});

describe("no work is reported", () => {
  test("that has ended, or that the program has canceled", async () => {
    const ctx = job();
    {
      using inner = withCancel(ctx);
      startWork(inner, "test.query").end();
    }
    const canceled = withCancel(ctx);
    void query(canceled);
    canceled.cancel();
    using late = withTimeout(ctx, 1);
    await query(late);
    await turn();
    expect(codes()).toEqual([]);
  });

  test("that ends together with its scope, and nothing watches the scope of work that has ended", async () => {
    const inner = withCancel(job());
    startWork(inner, "test.query").end();
    expect(isWatched(scopeOf(inner)!)).toBe(false);
    const work = startWork(inner, "test.query");
    inner.cancel({ finished: true });
    work.end();
    await turn();
    expect(codes()).toEqual([]);
  });

  test("that a finished request leaves behind, which has a warning of its own", async () => {
    await using server = await serveHttp(
      handler((ctx, _req, res) => {
        void query(ctx);
        res.end("ok");
      }),
    );
    const client = await server.client();
    client.get();
    await client.answer();
    await until(() => codes().length > 0);
    await turn();
    client.socket.destroy();
    expect(codes()).toEqual(["EIGHTYSIX_LEFT_BEHIND"]);
    expect(warnings[0]?.detail).toMatch(/^ +at .*outlived-scope\.test\.ts[^]*select 1$/);
  });

  test("that race and hedge cancel", async () => {
    const ctx = job();
    await race(ctx, [query, () => turn()]);
    await hedge(ctx, async (inner) => (await turn(), void inner), { after: 0, max: 2 });
    await turn();
    expect(codes()).toEqual([]);
  });

  test("while development mode is off", async () => {
    developmentMode(false);
    {
      using inner = withCancel(job());
      void query(inner);
    }
    await turn();
    expect(codes()).toEqual([]);
  });

  test("of a fetch whose body has been read or canceled", async () => {
    await using web = await serve((res) => res.end("ok"));
    const ctx = job();
    {
      using inner = withCancel(ctx);
      await (await fetch(inner, web.url)).text();
      await (await fetch(inner, web.url)).body?.cancel();
    }
    await turn();
    expect(codes()).toEqual([]);
  });

  testWith("postgres")("of a stream that a loop has left, or of a transaction", async () => {
    const pool = new pg.Pool({ connectionString: postgresUrl() });
    onTestFinished(() => pool.end());
    const db = pgContext(pool);
    const ctx = job();
    for (let i = 0; i < 5; i++) {
      using inner = withCancel(ctx);
      for await (const _ of db.stream(inner, "select generate_series(1, 1e6)")) break;
      const rows = db.stream(inner, "select generate_series(1, 1e6)");
      await rows.next();
      await rows.return();
      await db.transaction(inner, (tx) => tx.query(inner, "select 1"));
      await expect(db.query(inner, "select 1 / 0")).rejects.toThrow("division");
    }
    await turn();
    expect(codes()).toEqual([]);
  });
});
