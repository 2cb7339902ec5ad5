/** Every server starts, answers, and ends with the process that owns it. */
import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import mysql from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import * as services from "../test/support/services/index.ts";
import { until } from "../test/support/wait.ts";
import { startGuardian } from "./guardian.ts";
import { mariadbMissing, startMariadb } from "./mariadb.ts";
import { mysqlMissing, startMysql } from "./mysql.ts";
import { pgbouncerMissing, startPgbouncer } from "./pgbouncer.ts";
import { pgpoolMissing, startPgpool } from "./pgpool.ts";
import { startPostgres } from "./postgres.ts";
import { redisMissing, startRedis } from "./redis.ts";
import type { Server, ServerOptions } from "./server.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const root = fileURLToPath(new URL("../", import.meta.url));
mkdirSync(join(root, "build"), { recursive: true });
const programs = mkdtempSync(join(root, "build/servers-"));
/** An empty parent for the servers' directories. A test sees what is left in it. */
const parent = mkdtempSync("/tmp/servers-");
chmodSync(parent, 0o777); // the servers' accounts write into it

/** No server listens there. pgpool-II wants a port from 1024 on. */
const nowhere = "postgres://postgres@127.0.0.1:65535/postgres";
const shared = Object.entries(services).flatMap(([key, service]) =>
  "use" in service ? [[key, service] as const] : [],
);
const poolers = {
  startPgbouncer: { kind: "PgBouncer", missing: pgbouncerMissing(), start: startPgbouncer },
  startPgpool: { kind: "pgpool-II", missing: pgpoolMissing(), start: startPgpool },
};
const kinds = [
  ...shared.map(([key, service]) => ({
    ...{ kind: service.name, missing: service.missing?.(), isOptional: service.isOptional },
    start: service.start,
    code: (options: string) => `services.${key}.start(${options})`,
    answer: service.use,
  })),
  ...Object.entries(poolers).map(([name, { kind, missing, start }]) => ({
    ...{ kind, missing, isOptional: false },
    start: async (options: ServerOptions) => {
      const target = await startPostgres();
      onTestFinished(() => target.stop());
      return start({ ...options, target: target.url });
    },
    code: (options: string) => `poolers.${name}({ target: "${nowhere}", ...${options} })`,
    answer: services.postgres.use,
  })),
];

async function askMysql(options: mysql.ConnectionOptions): Promise<unknown> {
  const connection = await mysql.createConnection(options);
  try {
    const [rows] = await connection.query<mysql.RowDataPacket[]>("select 1 as n");
    return rows[0]?.["n"];
  } finally {
    connection.destroy();
  }
}

beforeAll(async () => {
  await build({
    ...{ bundle: true, format: "esm", platform: "node", target: "node20" },
    packages: "external",
    stdin: {
      contents: `
        export * as services from "../test/support/services/index.ts";
        import { startPgbouncer } from "./pgbouncer.ts";
        import { startPgpool } from "./pgpool.ts";
        export const poolers = { startPgbouncer, startPgpool };`,
      resolveDir: join(root, "servers"),
      loader: "ts",
    },
    outfile: join(programs, "servers.js"),
  });
});
afterAll(() => {
  rmSync(programs, { recursive: true, force: true });
  rmSync(parent, { recursive: true, force: true });
});

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A process that calls `code`. It prints one line before and one line after. */
function owner(code: string): { kill: () => void; line: () => Promise<string> } {
  const file = JSON.stringify(join(programs, "servers.js"));
  const program = `
    import { services, poolers } from ${file};
    setInterval(() => {}, 1_000);
    const starting = ${code};
    console.log("starting");
    console.log((await starting).pid);`;
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    kill: () => void child.kill("SIGKILL"),
    line: async () => String((await lines.next()).value),
  };
}

describe.each(kinds)("$kind", ({ missing, isOptional, start, code, answer }) => {
  const its = test.skipIf(missing !== undefined && (isOptional || !process.env["CI"]));
  const options = JSON.stringify({ parent });

  its("starts, answers, and is gone when it has been stopped", async () => {
    const server: Server = await start({ parent });
    onTestFinished(() => server.stop());
    expect(readdirSync(parent)).toHaveLength(1);
    expect(new URL(server.url).port).toBe(String(server.port));
    await (await answer(server.url)).end();
    expect(alive(server.pid)).toBe(true);
    await server.stop();
    expect(alive(server.pid)).toBe(false);
    expect(readdirSync(parent)).toEqual([]);
    await expect(answer(server.url)).rejects.toThrow();
  });

  its("is gone, with its directory, when its owner has been killed", async () => {
    const { kill, line } = owner(code(options));
    expect(await line()).toBe("starting");
    const pid = Number(await line());
    expect(alive(pid)).toBe(true);
    kill();
    await until(() => !alive(pid));
    await until(() => readdirSync(parent).length === 0);
  });

  its("leaves nothing when its owner is killed while it starts", async () => {
    for (const when of [0, 100, 300]) {
      const { kill, line } = owner(code(options));
      expect(await line()).toBe("starting");
      await until(() => readdirSync(parent).length > 0);
      await new Promise((resolve) => setTimeout(resolve, when));
      kill();
      await until(() => readdirSync(parent).length === 0);
    }
    // A process that still writes would create the directory again.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(readdirSync(parent)).toEqual([]);
  });
});

const whereInstalled = (missing: string | undefined) =>
  test.skipIf(missing !== undefined && !process.env["CI"]);

test("a server that ignores its signal is killed", async () => {
  const guardian = await startGuardian(parent, undefined);
  const script = "trap '' QUIT; sleep 60; sleep 60";
  guardian.launch({ script, args: [], signal: "QUIT" });
  const pid = await guardian.serverStarted;
  guardian.release();
  await guardian.gone;
  expect(alive(pid)).toBe(false);
});

whereInstalled(redisMissing())(
  "shows its log when it does not start, and leaves nothing",
  async () => {
    const settings = { "no-such-parameter": 1 };
    await expect(startRedis({ parent, settings })).rejects.toThrow(
      /Redis ended:[^]*no-such-parameter/,
    );
    expect(readdirSync(parent)).toEqual([]);
  },
);

whereInstalled(redisMissing())("a Redis in an endless script is gone as well", async () => {
  await using server = await startRedis({ parent });
  const client = createClient({ url: server.url, socket: { reconnectStrategy: false } });
  client.on("error", () => undefined);
  await client.connect();
  const endless = client.eval("while true do end").catch((error: unknown) => error);
  await server.stop();
  expect(await endless).toBeInstanceOf(Error);
  expect(alive(server.pid)).toBe(false);
});

describe.each([
  { kind: "MariaDB", missing: mariadbMissing(), start: startMariadb },
  { kind: "MySQL", missing: mysqlMissing(), start: startMysql },
])("$kind", ({ missing, start }) => {
  test.skipIf(missing !== undefined)("answers on its socket, and over TLS if asked", async () => {
    await using server = await start({ parent, tls: true });
    const { password } = new URL(server.url);
    expect(await askMysql({ user: "root", password, socketPath: server.socketPath })).toBe(1);
    const ca = server.certificate!;
    expect(await askMysql({ uri: server.url, host: "localhost", ssl: { ca } })).toBe(1);
    await expect(askMysql({ host: "127.0.0.1", port: server.port, user: "root" })).rejects.toThrow(
      /denied/,
    );
  });
});

whereInstalled(pgbouncerMissing())(
  "PgBouncer pools by transaction, or by session if asked",
  async () => {
    await using target = await startPostgres();
    await using byTransaction = await startPgbouncer({ target: target.url });
    await using bySession = await startPgbouncer({ target: target.url, poolMode: "session" });
    const backends = async ({ url }: Server): Promise<number> => {
      const clients = [1, 2].map(() => new pg.Client({ connectionString: url }));
      const pids = new Set<number>();
      for (const client of clients) {
        await client.connect();
        const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
        pids.add(rows[0]!.pid);
      }
      for (const client of clients) await client.end();
      return pids.size;
    };
    expect(await backends(byTransaction)).toBe(1);
    expect(await backends(bySession)).toBe(2);
  },
);

test.each([
  ...shared
    .filter(([, { missing }]) => missing !== undefined) // the others come with the packages
    .map(([, { name, variable, start }]) => ({ name, variable, start })),
  ...Object.values(poolers).map(({ kind, start }) => ({
    name: kind,
    variable: `EIGHTYSIX_TEST_${kind.replace("-II", "").toUpperCase()}_URL`,
    start: (options: ServerOptions) => start({ ...options, target: nowhere }),
  })),
])("says what to do where there is no $name", async ({ name, variable, start }) => {
  const directory = variable.replace(/_URL$/, "_BIN");
  vi.stubEnv(directory, parent);
  onTestFinished(() => void vi.unstubAllEnvs());
  const error = await start({ parent }).catch((e: unknown) => e);
  expect(String(error)).toMatch(
    new RegExp(`Install ${name} \\(Debian: apt-get install [a-z0-9-]+\\)`),
  );
  expect(String(error)).toContain(`set ${directory} to`);
  expect(readdirSync(parent)).toEqual([]);
});
