/** What `markAsGone` leaves of a response. */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { hasBegun, markAsGone } from "./mark-as-gone.ts";

const twoTurns = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const response = () => new ServerResponse(new IncomingMessage(new Socket()));

test("a response has a sent head for two turns, and the status 499 from then on", async () => {
  const res = response();
  markAsGone(res);
  expect([res.headersSent, res.statusCode, hasBegun(res)]).toEqual([true, 499, false]);
  await twoTurns();
  expect([res.headersSent, res.statusCode, hasBegun(res)]).toEqual([false, 499, false]);
  expect(Object.hasOwn(res, "headersSent")).toBe(false);
});

test("a response keeps a property `headersSent` that other middleware has given it", async () => {
  const res = response();
  let isSent = false;
  Object.defineProperty(res, "headersSent", { get: () => isSent, configurable: true });
  markAsGone(res);
  expect(res.headersSent).toBe(true);
  await twoTurns();
  expect(res.headersSent).toBe(false);
  isSent = true;
  expect(res.headersSent).toBe(true);
});

test("a property `headersSent` that is defined after the disconnect stays", async () => {
  const res = response();
  markAsGone(res);
  Object.defineProperty(res, "headersSent", { value: "mine" });
  await twoTurns();
  expect(res.headersSent).toBe("mine");
});
