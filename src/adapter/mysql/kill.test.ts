/** The connection for KILL QUERY while it opens, breaks and is replaced, with connections that the test controls. */
import { expect, test } from "vitest";
import { Deferred } from "../../../test/support/reports.ts";
import { turn } from "../../../test/support.ts";
import { KillConnections, type KillConnection, type KillTarget } from "./kill.ts";
import { readThread } from "./thread.ts";

const NO_SUCH_THREAD = Object.assign(new Error("Unknown thread id: 0"), { errno: 1094 });

class TestConnection implements KillConnection {
  readonly #opened = new Deferred();
  readonly opened = this.#opened.promise;
  readonly threadId = 12;
  readonly answers: Deferred<unknown>[] = [];
  readonly sent: string[] = [];
  isEnded = false;
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
    const answer = new Deferred<unknown>();
    this.answers.push(answer);
    return answer.promise;
  }
  /** Answers all messages with "Unknown thread id". */
  findNothing(): void {
    for (const answer of this.answers.splice(0)) answer.reject(NO_SUCH_THREAD);
  }
  async finds(sql: string): Promise<boolean> {
    return Boolean(await this.query(sql));
  }
  onLost(listener: () => void): void {
    this.lose = listener;
  }
  end(): void {
    this.isEnded = true;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
}

/** The thread as the server describes it: the user is "o'b", the host "h:1". */
const THREAD = "7 6F2762 683A31 1795875776";

interface Options {
  version?: string;
  /** What the server says of the thread, or a function that is given each query. */
  says?: string | ((sql: string) => unknown);
}

async function killer({ version = "9.7.0", says = THREAD }: Options = {}) {
  const opened: TestConnection[] = [];
  const asked: string[] = [];
  const target = {
    key: {},
    threadId: 7,
    account: "root@db:3306",
    version,
    async readValue(sql: string) {
      asked.push(sql);
      return typeof says === "string" ? says : await says(sql);
    },
    openKillConnection() {
      const connection = new TestConnection();
      opened.push(connection);
      return connection;
    },
  } satisfies KillTarget;
  await readThread(target);
  const connections = new KillConnections();
  return {
    opened,
    asked,
    target,
    connections,
    kill: () => connections.kill(target),
    isIdle: () => connections.isIdle(target),
  };
}

test("a KILL whose connection is refused is not sent, and the next KILL opens another connection", async () => {
  const { opened, kill } = await killer();
  const first = kill();
  opened[0]?.refuse();
  expect(await first).toBe("unsent");
  const second = kill();
  expect(opened).toHaveLength(2);
  opened[1]?.open();
  await turn();
  expect(opened[1]?.sent).toEqual([expect.stringMatching(/; KILL QUERY @eightysix_id$/)]);
  opened[1]?.answers[0]?.resolve(undefined);
  expect(await second).toBe("proven");
  expect(opened[0]?.sent).toEqual([]);
});

test("a KILL connection that was lost, and reports its end late, leaves the next connection alone", async () => {
  const { opened, kill } = await killer();
  const first = kill();
  opened[0]?.lose();
  await first;
  const second = kill();
  opened[1]?.open();
  opened[0]?.lose();
  await turn();
  expect(opened[1]?.isDestroyed).toBe(false);
  opened[1]?.answers[0]?.resolve(undefined);
  await second;
  const more = Promise.all([kill(), kill()]);
  await turn();
  for (const answer of opened[1]?.answers ?? []) answer.resolve(undefined);
  await more;
  expect(opened).toHaveLength(2);
});

test("a KILL that was given up is not sent, even if its connection opens later", async () => {
  const { opened, kill } = await killer();
  const given = kill();
  opened[0]?.lose();
  await given;
  opened[0]?.open();
  await turn();
  expect(opened[0]?.sent).toEqual([]);
});

test("a KILL that was sent rejects if its connection is lost, because it may still arrive", async () => {
  const { opened, kill } = await killer();
  const sent = kill();
  opened[0]?.open();
  await turn();
  opened[0]?.lose();
  await expect(sent).rejects.toThrow("the connection for KILL QUERY was lost");
  expect(opened[0]?.isDestroyed).toBe(true);
});

test("a KILL is sent together with a comparison of the thread, its user, its host and the server's start", async () => {
  const { opened, kill } = await killer();
  void kill();
  void kill();
  opened[0]?.open();
  await turn();
  const [first, second] = opened[0]?.sent ?? [];
  const start =
    "SET @eightysix_start = unix_timestamp() - (select variable_value from performance_schema.global_status where variable_name = 'UPTIME'); ";
  expect(second).toBe(
    "SET @eightysix_id = (select id from performance_schema.processlist where id = 7 and hex(user) = '6F2762' and hex(host) = '683A31' and @eightysix_start = 1795875776 and connection_id() = 12); KILL QUERY @eightysix_id",
  );
  expect(first).toBe(start + second!);
});

test("a KILL that finds no such thread is not sent, and the next one opens another connection", async () => {
  const { opened, kill } = await killer();
  const first = kill();
  opened[0]?.open();
  await turn();
  opened[0]?.findNothing();
  expect(await first).toBe("unsent");
  expect(opened[0]).toMatchObject({ isEnded: true, isDestroyed: true });
  void kill();
  opened[1]?.open();
  await turn();
  expect(opened[1]?.sent).toEqual([expect.stringMatching(/^SET @eightysix_start/)]);
});

test("a connection that has led to another server is closed when its other KILLs are answered", async () => {
  const { opened, connections, target, kill } = await killer();
  const first = kill();
  const other = kill();
  opened[0]?.open();
  await turn();
  opened[0]?.answers[0]?.reject(NO_SUCH_THREAD);
  expect(await first).toBe("unsent");
  expect(opened[0]).toMatchObject({ isEnded: false, isDestroyed: false });
  const next = kill();
  expect(opened).toHaveLength(2);
  opened[0]?.answers[1]?.resolve(undefined);
  expect(await other).toBe("proven");
  expect(opened[0]).toMatchObject({ isEnded: true, isDestroyed: true });
  connections.discard(target);
  expect(opened[1]).toMatchObject({ isDestroyed: true });
  expect(await next).toBe("unsent");
});

test("a thread that is not found eight times is given up", async () => {
  const { opened, kill } = await killer();
  for (let i = 0; i < 7; i++) {
    const missed = kill();
    opened[i]?.open();
    await turn();
    opened[i]?.findNothing();
    expect(await missed).toBe("unsent");
  }
  const last = kill();
  opened[7]?.open();
  await turn();
  opened[7]?.findNothing();
  await expect(last).rejects.toThrow("no server at the connection's address has its thread 7");
});

test.each([
  ["MySQL", "9.7.0", ["performance_schema.processlist"]],
  ["MariaDB", "10.11.6-MariaDB", ["information_schema.processlist"]],
])(
  "a thread of %s is read from the table that an ordinary user can read",
  async (_, version, tables) => {
    const { asked } = await killer({ version });
    expect(asked.map((sql) => / from (\S+) where id/.exec(sql)?.[1])).toEqual(tables);
  },
);

test("a thread of MySQL is read from information_schema if performance_schema is off or does not have it", async () => {
  const { asked, opened, kill } = await killer({
    says(sql) {
      if (sql.includes("performance_schema.processlist")) return undefined;
      return THREAD;
    },
  });
  expect(asked).toHaveLength(2);
  void kill();
  opened[0]?.open();
  await turn();
  expect(opened[0]?.sent[0]).toContain("from information_schema.processlist where id = 7");
});

test.each([
  ["numbers it otherwise, as a proxy does", "8 6F2762 683A31 1795875776"],
  ["does not state its start", "7 6F2762 683A31"],
  ["does not state its host", "7 6F2762  1795875776"],
  ["does not list it", undefined],
  [
    "refuses",
    () => {
      throw Object.assign(new Error("SELECT command denied"), { errno: 1142 });
    },
  ],
])("nothing is killed if the server %s", async (_, says) => {
  const { opened, kill } = await killer({
    says: typeof says === "string" ? says : (says ?? (() => undefined)),
  });
  await expect(kill()).rejects.toThrow("which of its threads");
  expect(opened).toEqual([]);
});

test("nothing is killed after the user of the connection has changed", async () => {
  const { opened, target, kill } = await killer();
  target.account = "eve@db:3306";
  await expect(kill()).rejects.toThrow("which of its threads");
  expect(opened).toEqual([]);
});

test("the server is asked whether a connection is idle over the kill connection, if there is one", async () => {
  const { opened, kill, isIdle } = await killer();
  expect(await isIdle()).toBe(false);
  expect(opened).toHaveLength(0);
  const sent = kill();
  opened[0]?.open();
  await turn();
  opened[0]?.answers[0]?.resolve(undefined);
  await sent;
  const asked = isIdle();
  await turn();
  expect(opened[0]?.sent[1]).toMatch(/from performance_schema.processlist where id = 7 /);
  opened[0]?.answers[1]?.resolve(true);
  expect(await asked).toBe(true);
  expect(opened).toHaveLength(1);
});

test("a connection is not taken for idle if the kill connection is lost before the answer", async () => {
  const { opened, kill, isIdle } = await killer();
  void kill().catch(() => undefined);
  opened[0]?.open();
  await turn();
  const asked = isIdle();
  await turn();
  opened[0]?.lose();
  expect(await asked).toBe(false);
});
