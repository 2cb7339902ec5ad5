import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import * as leaks from "../../../test/support/leaks.ts";
import {
  afterFunc,
  all,
  background,
  merge,
  sleep,
  withCancel,
  withLedger,
  withSignal,
  withTimeout,
  type CancelableContext,
} from "../../index.ts";
import { expectNothingLeft, ManualClock, useClock, type Leftover } from "../index.ts";

/** Ends what a test has left behind on purpose. */
const cleanup: (() => unknown)[] = [];
afterEach(() => {
  for (const end of cleanup.splice(0)) end();
});

/** What `expectNothingLeft` says that `fn` has left behind. */
async function leftBy(fn: () => unknown, within = 20): Promise<string> {
  const error: unknown = await expectNothingLeft(fn, { within }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error === undefined ? "nothing" : (error as Error).message;
}

const outer = withLedger(withCancel(background()));

describe("expectNothingLeft finds", () => {
  test("a context that is watched and has not ended, once for all that watches it", async () => {
    let ctx: CancelableContext | undefined;
    const found = await leftBy(() => {
      ctx = leaks.leakContext(outer);
      leaks.leakCallback(ctx);
      leaks.leakListener(ctx);
    });
    expect(found).toMatch(
      /:\n- a context that has not ended \(WithDeadline\(.*\)\)\n +at .*leakContext .*leaks\.ts/,
    );
    expect(found.match(/^- /gm)).toHaveLength(1);
    expect(found).not.toContain("timer");
    ctx?.cancel();
  });

  test("a context that merges others, or follows a signal", async () => {
    const controller = new AbortController();
    const found = await leftBy(() => {
      const joined = [merge(background(), outer), withSignal(background(), controller.signal)];
      cleanup.push(() => joined.forEach((ctx) => ctx.cancel()));
    });
    expect(found).toContain("(Merge)");
    expect(found).toContain("(WithSignal)");
  });

  test("a callback on a context from outside", async () => {
    const found = await leftBy(() => cleanup.push(leaks.leakCallback(outer)));
    expect(found).toMatch(/:\n- a callback for the end of a live context\n +at .*leakCallback /);
  });

  test("an abort listener on a context from outside, also if its signal existed before", async () => {
    void outer.signal;
    const found = await leftBy(() => cleanup.push(leaks.leakListener(outer)));
    expect(found).toMatch(
      /:\n- an abort listener on the signal of a live context\n +at .*leakListener /,
    );
  });

  test("what an inner call leaves behind, also for an outer one", async () => {
    const found = await leftBy(async () => {
      const inner = await leftBy(() => cleanup.push(leaks.leakCallback(outer)));
      expect(inner).toContain("a callback");
    });
    expect(found).toContain("a callback");
  });
});

describe("expectNothingLeft finds, on Node,", () => {
  let server: Awaited<ReturnType<typeof leaks.leakServer>>;
  beforeAll(async () => {
    server = await leaks.leakServer();
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });

  test("a timer", async () => {
    expect(await leftBy(() => cleanup.push(clearTimeout.bind(null, leaks.leakTimer())))).toMatch(
      /^the function has left this behind, 20 ms after its end:\n- a timer of 54321 ms\n +at .*leakTimer .*leaks\.ts/,
    );
  });

  test("a timer that another timer has set", async () => {
    const found = await leftBy(async () => {
      await new Promise((resolve) => {
        setTimeout(() => {
          cleanup.push(clearTimeout.bind(null, leaks.leakTimer()));
          resolve(undefined);
        }, 1);
      });
    });
    expect(found).toMatch(/- a timer of 54321 ms\n +at .*leakTimer/);
  });

  test("an interval, and a sleep of node:timers/promises", async () => {
    const found = await leftBy(() => {
      const timer = setInterval(() => undefined, 5);
      const controller = new AbortController();
      delay(7_000, undefined, controller).catch(() => undefined);
      cleanup.push(
        () => clearInterval(timer),
        () => controller.abort(),
      );
    });
    expect(found).toContain("a timer of 5 ms");
    expect(found).toContain("a timer of 7000 ms");
  });

  test("a sleep: its timer and its context", async () => {
    const found = await leftBy(() => {
      const ctx = leaks.leakSleep(outer);
      cleanup.push(() => ctx.cancel());
    });
    expect(found).toMatch(/- a timer of \d+ ms\n +at .*leakSleep/);
    expect(found).toMatch(/- a context that has not ended \(WithCancel\)\n +at .*leakSleep/);
  });

  test("a server, and a connection to it", async () => {
    const found = await leftBy(async () => {
      const server = await leaks.leakServer();
      const socket = await leaks.leakConnection(server);
      cleanup.push(
        () => socket.destroy(),
        () => server.close(),
      );
    });
    expect(found).toMatch(/- a server that listens\n +at .*leakServer /);
    expect(found).toMatch(/- a connection to 127\.0\.0\.1:\d+\n +at .*leakConnection /);
  });

  test("a child process, its pipes, and a worker thread", async () => {
    const found = await leftBy(async () => {
      const child = spawn("sleep", ["60"]);
      const worker = new Worker("setInterval(() => {}, 1000)", { eval: true });
      await once(worker, "online");
      cleanup.push(
        () => child.kill(),
        () => worker.terminate(),
      );
    });
    expect(found).toContain("a child process");
    expect(found).toContain("a worker thread");
  });

  test("names the connection that fetch keeps for a server from outside", async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = await leftBy(async () => (await fetch(url)).text());
    expect(found).toContain(`a connection to 127.0.0.1:`);
    expect(found).not.toContain("a timer");
  });
});

describe("expectNothingLeft does not blame", () => {
  test("the parent of a context for what its child has left behind", async () => {
    const found = await leftBy(() => {
      const parent = withCancel(outer);
      const child = leaks.leakContext(withCancel(parent));
      cleanup.push(() => child.cancel());
    });
    expect(found.match(/a context/g)).toHaveLength(1);
    expect(found).toContain("leakContext");
  });

  test("fetch for the listener that it keeps on a signal until the garbage collector runs", async () => {
    const server = await leaks.leakServer();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const found = await leftBy(async () => {
      const response = await fetch(url, { signal: outer.signal });
      expect(await response.text()).toBe("hello");
      server.closeAllConnections();
    }, 5_000);
    expect(found).toBe("nothing");
    server.close();
  });

  test("a function that cleans up", async () => {
    const result = await expectNothingLeft(async () => {
      using ctx = withTimeout(outer, 60_000);
      ctx.signal.addEventListener("abort", () => undefined);
      afterFunc(outer, () => undefined)();
      await all(ctx, [(task) => sleep(task, 1), (task) => sleep(task, 2)]);
      clearTimeout(leaks.leakTimer());
      leaks.leakListener(outer)();
      return "the result";
    });
    expect(result).toBe("the result");
  });

  test("a context that nothing watches, and a deadline that nothing watches", async () => {
    const kept: unknown[] = [];
    expect(
      await leftBy(() =>
        kept.push(withTimeout(outer, 60_000), withCancel(outer), withLedger(outer)),
      ),
    ).toBe("nothing");
  });

  test("what existed before, and what other code creates at the same time", async () => {
    const before = leaks.leakTimer();
    const ctx = leaks.leakContext(background());
    let during: NodeJS.Timeout | undefined;
    let leave = (): void => undefined;
    const others = new Promise<void>((resolve) => (leave = resolve)).then(() => {
      during = leaks.leakTimer();
      cleanup.push(leaks.leakCallback(outer));
    });
    const found = await leftBy(async () => {
      void outer.signal;
      leave();
      await delay(5);
    });
    expect(found).toBe("nothing");
    await others;
    clearTimeout(before);
    clearTimeout(during);
    ctx.cancel();
  });

  test("things that go within the time that they have", async () => {
    const found = await leftBy(() => void setTimeout(() => undefined, 30), 5_000);
    expect(found).toBe("nothing");
  });

  test("a server with requests that is closed, and the timers of node:http", async () => {
    const found = await leftBy(async () => {
      const server = createServer((_req, res) => res.end("hello")).listen(0);
      await once(server, "listening");
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
      expect(await response.text()).toBe("hello");
      server.close();
      server.closeAllConnections();
    }, 2_000);
    expect(found).toBe("nothing");
  });

  test("the first use of console.log", async () => {
    expect(await leftBy(() => process.stdout.write(""))).toBe("nothing");
  });

  test("what the option ignore lets stay", async () => {
    const seen: Leftover[] = [];
    await expectNothingLeft(() => cleanup.push(leaks.leakCallback(outer)), {
      ignore: (leftover) => seen.push(leftover) > 0 && leftover.kind === "callback",
    });
    expect(seen[0]?.description).toBe("a callback for the end of a live context");
    expect(seen[0]?.stack).toContain("leakCallback");
  });

  test("a UDP socket, whose kind is not that of a connection", async () => {
    const kinds: string[] = [];
    const open = () =>
      new Promise<void>((resolve) => {
        const socket = createSocket("udp4");
        cleanup.push(() => socket.close());
        socket.bind(0, "127.0.0.1", resolve);
      });
    await expectNothingLeft(open, { within: 20, ignore: ({ kind }) => kinds.push(kind) > 0 });
    expect(kinds).toEqual(["udp"]);
  });
});

describe("expectNothingLeft", () => {
  test("rejects as the function does", async () => {
    const own = new Error("broken");
    const failed = expectNothingLeft(() => {
      cleanup.push(clearTimeout.bind(null, leaks.leakTimer()));
      throw own;
    });
    await expect(failed).rejects.toBe(own);
  });

  test("works under fake timers and under a clock that stands still", async () => {
    vi.useFakeTimers();
    using _ = useClock(new ManualClock());
    try {
      expect(await leftBy(() => void setTimeout(() => undefined, 1_000))).toBe("nothing");
      const found = await leftBy(() => void cleanup.push(leaks.leakCallback(outer)));
      expect(found).toContain("a callback");
    } finally {
      vi.useRealTimers();
    }
  });

  test("leaves nothing patched when it has ended", async () => {
    const before = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(outer), "signal");
    await leftBy(() => cleanup.push(leaks.leakListener(outer)));
    expect(Object.getOwnPropertyDescriptor(Object.getPrototypeOf(outer), "signal")).toEqual(before);
    expect(Object.keys(outer.signal)).toEqual([]);
    expect(Object.hasOwn(outer.signal, "addEventListener")).toBe(false);
  });

  test("rejects wrong arguments", async () => {
    await expect(expectNothingLeft(undefined as never)).rejects.toThrow("takes a function");
    const fn = (): void => undefined;
    await expect(expectNothingLeft(fn, { within: "1" as never })).rejects.toThrow(TypeError);
    await expect(expectNothingLeft(fn, { ignore: 1 as never })).rejects.toThrow("option ignore");
    await expect(expectNothingLeft(fn, { timeout: 1 } as never)).rejects.toThrow("unknown option");
  });
});
