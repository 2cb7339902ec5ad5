import { afterEach, describe, expect, test, vi } from "vitest";
import { now } from "../../internal.ts";
import { isCanceled, repeatAfter } from "./canceled-query.ts";

describe("isCanceled", () => {
  const error = (message: string, code = "57014"): Error =>
    Object.assign(new Error(message), { code });

  test("is true for the error of a cancel request", () => {
    expect(isCanceled(error("canceling statement due to user request"))).toBe(true);
  });
  test.each([
    ["of a statement_timeout", "canceling statement due to statement timeout"],
    ["in another language", "storniere Anfrage wegen Benutzeraufforderung"],
  ])('is "unproven" for an error with the same code %s', (_, message) => {
    expect(isCanceled(error(message))).toBe("unproven");
  });
  test.each([
    error("canceling statement due to user request", "57P01"),
    new Error("canceling statement due to user request"),
    "57014",
    null,
    undefined,
  ])("is false for %s", (other) => {
    expect(isCanceled(other)).toBe(false);
  });
});

describe("a cancel request is repeated", () => {
  afterEach(() => void vi.useRealTimers());

  test.each([
    ["after 50 ms, if its query was sent just before", { age: 99, took: 5 }, 50],
    ["after four times its own duration, if the server is busy", { age: 0, took: 60 }, 240],
    ["after 500 ms, if the server is very busy", { age: 0, took: 1_000 }, 500],
    ["after 500 ms, if its query was sent long before", { age: 100, took: 5 }, 500],
  ])("%s", (_, { age, took }, pause) => {
    vi.useFakeTimers();
    const sentAt = now();
    vi.advanceTimersByTime(age);
    const stoppedAt = now();
    vi.advanceTimersByTime(took);
    expect(repeatAfter(sentAt, stoppedAt)).toBe(pause);
  });
});
