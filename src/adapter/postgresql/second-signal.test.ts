import { beforeEach, expect, test, vi } from "vitest";
import { answers, sendsNoSecondSignal } from "./second-signal.ts";

const client = { pid: 7, port: 50_000 };
const rows = (count: number) => vi.fn((_: string) => Promise.resolve(count));

beforeEach(() => answers.clear());

test.each([
  [1, true],
  [0, false],
])("a server that answers with %i rows is asked once: %s", async (count, expected) => {
  const ask = rows(count);
  for (let i = 0; i < 2; i++) expect(await sendsNoSecondSignal("a", client, ask)).toBe(expected);
  expect(ask).toHaveBeenCalledOnce();
});

test("each address is asked", async () => {
  expect(await sendsNoSecondSignal("a", client, rows(1))).toBe(true);
  expect(await sendsNoSecondSignal("b", client, rows(0))).toBe(false);
});

test("a server that cannot answer now is asked again", async () => {
  const fail = (): Promise<number> => Promise.reject(new Error("inside a failed transaction"));
  expect(await sendsNoSecondSignal("a", client, fail)).toBe(false);
  expect(await sendsNoSecondSignal("a", client, rows(1))).toBe(true);
});

test("a server that only an object stands for is asked each time, so that nothing keeps the object", async () => {
  const ask = rows(1);
  for (let i = 0; i < 2; i++) expect(await sendsNoSecondSignal({}, client, ask)).toBe(true);
  expect(ask).toHaveBeenCalledTimes(2);
  expect(answers.size).toBe(0);
});

test("over a Unix socket, where the server sees no port, only the version counts", async () => {
  const ask = rows(1);
  await sendsNoSecondSignal("a", { pid: 7, port: undefined }, ask);
  await sendsNoSecondSignal("b", client, ask);
  const [overUnix, overTcp] = ask.mock.calls.map(([question]) => question);
  expect(overUnix).not.toContain("inet_client_port");
  expect(overTcp).toContain("pg_backend_pid() = 7 and inet_client_port() = 50000");
});
