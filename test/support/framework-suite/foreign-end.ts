/** What a request gets whose work fails with the end of another request. */
import { once } from "node:events";
import { expect, test } from "vitest";
import { ClientDisconnected, RequestFinished } from "../../../src/http/index.ts";
import {
  developmentMode,
  sleep,
  withCancel,
  background,
  type Context,
} from "../../../src/index.ts";
import { until } from "../../raw-http.ts";
import type { Transport } from "../transports/index.ts";
import { expectedWarnings, start, type FrameworkUnderTest, type Work } from "./under-test.ts";

const CODE = "EIGHTYSIX_FOREIGN_CONTEXT";
type Warning = Error & { code?: string; detail?: string };

export function foreignEnd(framework: FrameworkUnderTest, transport: Transport): void {
  test.each([false, true])(
    "that uses the context of a finished request is answered with 500, and a warning names it (development mode: %s)",
    async (isDevelopment) => {
      expectedWarnings.add(CODE);
      if (isDevelopment) developmentMode(true);
      try {
        let kept: Context | undefined;
        const keeps: Work = async (ctx) => (await sleep((kept ??= ctx), 1), "ok");
        await using server = await start(framework, transport, keeps);
        const visitor = await server.visitor();
        visitor.get();
        expect(await visitor.whole()).toMatchObject({ status: 200 });
        await until(() => kept?.err() !== undefined);
        const warned = once(process, "warning") as Promise<[Warning]>;
        visitor.get();
        const { status, headers } = await visitor.head(2);
        expect([status, headers["retry-after"]]).toEqual([500, undefined]);
        const [{ code, message, detail }] = await warned;
        expect(code).toBe(CODE);
        expect(message).toMatch(/^GET \/ failed because it uses the context of another request/);
        if (isDevelopment)
          // If no frame is of the program, as in Hono, none is shown.
          expect(detail).toMatch(/the other request is GET \/(?:; .*taken here\n +at [^]*)?$/);
        else expect(detail).toMatch(/EIGHTYSIX_DEV=1/);
      } finally {
        if (isDevelopment) developmentMode(false);
      }
    },
  );

  test.each([
    ["disconnected", new ClientDisconnected(), 503],
    ["finished", new RequestFinished(), 500],
  ])("whose shared work fails because another request has %s", async (_, end, expected) => {
    if (expected === 500) expectedWarnings.add(CODE);
    const shared = withCancel(background());
    shared.cancel(end);
    const work: Work = async () => (await sleep(shared, 1), "");
    await using server = await start(framework, transport, work);
    const visitor = await server.visitor();
    visitor.get();
    expect((await visitor.head()).status).toBe(expected);
  });
}
