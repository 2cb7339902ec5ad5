/** What development mode does to the global `fetch`. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { inDevelopment } from "../support/development.ts";
import { turn } from "../support.ts";
import { background, withCancel } from "../../src/index.ts";
import { runWithContext } from "../../src/current/index.ts";

const warnings = inDevelopment();
const WATCHING = Symbol.for("eightysix.development.1");
const own = Object.getOwnPropertyDescriptor(globalThis, "fetch") as PropertyDescriptor;
const watchAgain = (): void => void Reflect.deleteProperty(globalThis, WATCHING);

beforeEach(watchAgain);
afterEach(() => {
  Object.defineProperty(globalThis, "fetch", own);
  watchAgain();
});

async function request<T>(fn: () => T | PromiseLike<T>): Promise<T> {
  using ctx = withCancel(background());
  const result = await runWithContext(ctx, async () => await fn());
  await turn();
  return result;
}

describe("development mode", () => {
  test("leaves a global fetch alone that is an accessor", async () => {
    const fetch = vi.fn(() => Promise.resolve(new Response("ok")));
    const accessor = { get: () => fetch, set: () => undefined, configurable: true };
    Object.defineProperty(globalThis, "fetch", accessor);
    expect(await request(() => 1)).toBe(1);
    expect(Object.getOwnPropertyDescriptor(globalThis, "fetch")).toMatchObject(accessor);
  });

  test("does not read a global fetch whose accessor throws", async () => {
    const get = (): never => {
      throw new Error("not here");
    };
    Object.defineProperty(globalThis, "fetch", { get, configurable: true });
    expect(await request(() => 1)).toBe(1);
  });

  test("keeps a mock of fetch that was installed before it a mock", async () => {
    vi.stubGlobal(
      "fetch",
      vi.fn(() => Promise.resolve(new Response("mock"))),
    );
    expect(await (await request(() => fetch("http://x/"))).text()).toBe("mock");
    expect(fetch).toHaveBeenCalledWith("http://x/");
    expect(vi.mocked(fetch).mock.calls).toEqual([["http://x/"]]);
    expect(warnings.map(({ code }) => code)).toEqual(["EIGHTYSIX_WITHOUT_CONTEXT"]);
  });

  test("lets fetch fail in its own way if its options throw", async () => {
    const failure = new Error("no signal");
    const init = {
      get signal(): never {
        throw failure;
      },
    };
    await request(async () => {
      const asked = fetch("http://127.0.0.1/", init);
      await expect(asked).rejects.toBe(failure);
    });
  });
});
