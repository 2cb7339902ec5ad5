import fc from "fast-check";
import { expect, test } from "vitest";
import { hostileValues } from "../../test/support/hostile-values.ts";
import { background, isCanceled, withCancel } from "../index.ts";
import { CANCEL_KIND, fromCancelMessage, toCancelMessage } from "./index.ts";

test("a cancel message names its request and says why, as JSON and as a structured clone", () => {
  const ctx = withCancel(background());
  ctx.cancel(new Error("the client has gone"));
  const message = toCancelMessage("_INBOX.7", ctx.err());
  for (const copy of [JSON.stringify(message), structuredClone(message), message]) {
    const read = fromCancelMessage(copy);
    expect(read?.id).toBe("_INBOX.7");
    expect(isCanceled(read?.error)).toBe(true);
    expect(read?.error.cause).toMatchObject({ message: "the client has gone" });
  }
});

test("a cancel message is short, whatever the error", () => {
  const message = toCancelMessage("1", new Error("x".repeat(1_000_000)));
  expect(JSON.stringify(message).length).toBeLessThan(5_000);
});

const other: unknown[] = [
  undefined,
  null,
  "",
  "cancel",
  "{}",
  [],
  { kind: CANCEL_KIND },
  { kind: CANCEL_KIND, id: "" },
  { kind: CANCEL_KIND, id: 7 },
  { kind: CANCEL_KIND, id: ["1"] },
  { kind: [CANCEL_KIND], id: "1" },
  { kind: "cancel", id: "1" },
  [{ kind: CANCEL_KIND, id: "1" }],
  `[${JSON.stringify(toCancelMessage("1", "x"))}]`,
  JSON.stringify(JSON.stringify(toCancelMessage("1", "x"))),
  `{"__proto__":${JSON.stringify(toCancelMessage("1", "x"))}}`,
];
test.each(other)("%j is no cancel message", (message) => {
  expect(fromCancelMessage(message)).toBeUndefined();
});

test.each(hostileValues)(
  "%s is no cancel message, and as its error does not make it fail",
  (_name, make) => {
    expect(fromCancelMessage(make())).toBeUndefined();
    const message = { kind: CANCEL_KIND, id: "1", error: make() };
    expect(fromCancelMessage(message)?.error).toBeInstanceOf(Error);
    expect(toCancelMessage("1", make())).toMatchObject({ id: "1" });
  },
);

test("fromCancelMessage returns for every text and every value", () => {
  const field = fc.oneof(fc.constant(CANCEL_KIND), fc.string(), fc.anything());
  const nearly = fc.record({ kind: field, id: field, error: fc.anything() }, { requiredKeys: [] });
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(nearly, fc.json(), fc.string(), fc.anything()), (x) => {
      const message = fromCancelMessage(x);
      if (message === undefined) return;
      read++;
      expect(message.error).toBeInstanceOf(Error);
      expect(typeof message.id === "string" && message.id !== "").toBe(true);
    }),
    { numRuns: 2_000 },
  );
  expect(read).toBeGreaterThan(10);
});
