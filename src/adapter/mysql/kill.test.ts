/** The connection for KILL QUERY while it opens, breaks and is replaced, with connections that the test controls. */
import { expect, test } from "vitest";
import { Deferred } from "../../../test/support/reports.ts";
import { turn } from "../../../test/support.ts";
import { KillConnections, type KillConnection, type KillTarget } from "./kill.ts";

class TestConnection implements KillConnection {
  readonly #opened = new Deferred();
  readonly opened = this.#opened.promise;
  readonly answer = new Deferred<unknown>();
  readonly sent: string[] = [];
  isDestroyed = false;
  lose = (): void => undefined;

  open(): void {
    this.#opened.resolve();
  }
  refuse(): void {
    this.#opened.reject(new Error("connect ECONNREFUSED"));
  }
  query(sql: string): PromiseLike<unknown> {
    this.sent.push(sql);
    return this.answer.promise;
  }
  onLost(listener: () => void): void {
    this.lose = listener;
  }
  end(): void {
    this.isDestroyed = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
}

function killer() {
  const opened: TestConnection[] = [];
  const target: KillTarget = {
    threadId: 7,
    account: "root@db:3306",
    openKillConnection() {
      const connection = new TestConnection();
      opened.push(connection);
      return connection;
    },
  };
  const connections = new KillConnections();
  return { opened, kill: () => connections.kill(target) };
}

test("a KILL whose connection is refused is not sent, and the next KILL opens another connection", async () => {
  const { opened, kill } = killer();
  const first = kill();
  opened[0]?.refuse();
  await first;
  const second = kill();
  expect(opened).toHaveLength(2);
  opened[1]?.open();
  await turn();
  expect(opened[1]?.sent).toEqual(["KILL QUERY 7"]);
  opened[1]?.answer.resolve(undefined);
  await second;
  expect(opened[0]?.sent).toEqual([]);
});

test("a KILL connection that was lost, and reports its end late, leaves the next connection alone", async () => {
  const { opened, kill } = killer();
  const first = kill();
  opened[0]?.lose();
  await first;
  const second = kill();
  opened[1]?.open();
  opened[0]?.lose();
  await turn();
  expect(opened[1]?.isDestroyed).toBe(false);
  opened[1]?.answer.resolve(undefined);
  await second;
  await Promise.all([kill(), kill()]);
  expect(opened).toHaveLength(2);
});

test("a KILL that was given up is not sent, even if its connection opens later", async () => {
  const { opened, kill } = killer();
  const given = kill();
  opened[0]?.lose();
  await given;
  opened[0]?.open();
  await turn();
  expect(opened[0]?.sent).toEqual([]);
});

test("a KILL that was sent rejects if its connection is lost, because it may still arrive", async () => {
  const { opened, kill } = killer();
  const sent = kill();
  opened[0]?.open();
  await turn();
  opened[0]?.lose();
  await expect(sent).rejects.toThrow("the connection for KILL QUERY was lost");
  expect(opened[0]?.isDestroyed).toBe(true);
});
