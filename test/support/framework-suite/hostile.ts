/** Handlers that throw values which a framework, or a guard, may stumble over. */
import { describe, expect, test } from "vitest";
import { background, cause, withCancel } from "../../../src/index.ts";
import { until } from "../../raw-http.ts";
import { hostileValues } from "../hostile-values.ts";
import type { Transport } from "../transports/index.ts";
import { asker, type FrameworkUnderTest } from "./under-test.ts";

export function hostile(framework: FrameworkUnderTest, transport: Transport): void {
  const ask = asker(framework, transport);

  describe("a handler that throws", () => {
    for (const [name, make] of hostileValues) {
      test(`${name} is answered with 500`, async () => {
        await using server = await ask(() => {
          throw make();
        });
        expect((await server.asked.head()).status).toBe(500);
        server.asked.get();
        expect((await server.asked.head(2)).status).toBe(500);
        await until(() => server.seen.every((ctx) => ctx.err() !== undefined));
      });
    }
  });

  describe("a handler that throws an error with", () => {
    const busy = { status: 503, statusCode: 503 };
    test.each<[string, object]>([
      ["a header name that Node refuses", { ...busy, headers: { "x\ny": "z" } }],
      ["a header value that Node refuses", { ...busy, headers: { x: "a\r\nb" } }],
      ["a header without a value", { ...busy, headers: { x: undefined } }],
      ["a header whose value throws", { ...busy, headers: { x: Object.create(null) as unknown } }],
      ["a status that is no response", { status: 101, statusCode: 101 }],
    ])("%s is answered with an error", async (_, properties) => {
      await using server = await ask(() => {
        throw Object.assign(new Error("x"), properties);
      });
      expect([500, 503]).toContain((await server.asked.head()).status);
      server.asked.get();
      expect([500, 503]).toContain((await server.asked.head(2)).status);
    });
  });

  describe("a request whose parent is canceled with", () => {
    for (const [name, make] of hostileValues) {
      test(`${name} is answered with an error`, async () => {
        const reason = make();
        const parent = withCancel(background());
        await using server = await ask(
          (ctx) => {
            parent.cancel(reason);
            throw ctx.err() ?? new Error("it is live");
          },
          { parent },
        );
        const { status } = await server.asked.head();
        expect([500, 503]).toContain(status);
        expect(cause(server.ctx)).toBe(reason ?? server.ctx.err());
      });
    }
  });
}
