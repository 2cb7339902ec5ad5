/** Cancel requests reach the server as the connection itself does: over TLS, a Unix socket, IPv6. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { background, CanceledError, withCancel } from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, testPool, until } from "../../test/support/postgres.ts";
import { withContext } from "./index.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let server: PostgresServer;
let sockets: string;
let ca: string | undefined;

beforeAll(async () => {
  sockets = mkdtempSync("/tmp/eightysix-sockets-");
  chmodSync(sockets, 0o777);
  server = await startPostgres({
    settings: { unix_socket_directories: sockets, listen_addresses: "127.0.0.1,::1" },
  });
  ca = await turnTlsOn(server).catch(() => undefined);
});
afterAll(async () => {
  await server.stop();
  rmSync(sockets, { recursive: true, force: true });
});

/** Gives the server a certificate for localhost and returns it. Throws if there is no openssl. */
async function turnTlsOn({ directory, url }: PostgresServer): Promise<string> {
  const [key, certificate] = [join(directory, "server.key"), join(directory, "server.crt")];
  const make =
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1";
  execFileSync("openssl", [...make.split(" "), "-keyout", key, "-out", certificate], {
    stdio: "ignore",
  });
  const { uid, gid } = statSync(directory);
  for (const file of [key, certificate]) {
    chownSync(file, uid, gid);
    chmodSync(file, 0o600);
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`alter system set ssl_key_file = '${key}'`);
  await client.query(`alter system set ssl_cert_file = '${certificate}'`);
  await client.query("alter system set ssl = on");
  await client.query("select pg_reload_conf()");
  await client.end();
  return readFileSync(certificate, "utf8");
}

async function stopsOver(config: pg.PoolConfig): Promise<{ tls: boolean }> {
  const { password } = new URL(server.url);
  const pool = testPool({
    connectionString: undefined,
    user: "postgres",
    database: "postgres",
    password,
    max: 1,
    ...config,
  });
  const look = await observer({ connectionString: server.url });
  const db = withContext(pool);
  const about = "select pg_backend_pid() as pid, ssl from pg_stat_ssl where pid = pg_backend_pid()";
  const before = (await db.query<{ pid: number; ssl: boolean }>(background(), about)).rows[0]!;
  const text = `select pg_sleep(60) ${mark()}`;
  using ctx = withCancel(background());
  const query = db.query(ctx, text).catch((e: unknown) => e);
  await until(async () => (await look.running(text)) === 1);
  ctx.cancel();
  expect(await query).toBeInstanceOf(CanceledError);
  expect(await look.running(text)).toBe(0);
  expect((await db.query(background(), about)).rows[0]).toEqual(before);
  return { tls: before.ssl };
}

test("a query over a Unix socket is stopped", async () => {
  await stopsOver({ host: sockets, port: server.port });
});

test("a query over IPv6 is stopped", async (context) => {
  const pool = testPool({ connectionString: server.url, host: "::1" });
  const works = await pool.query("select 1").then(
    () => true,
    () => false,
  );
  context.skip(!works, "this machine has no IPv6");
  await stopsOver({ host: "::1", port: server.port });
});

test("a query over TLS is stopped, and the server's name is verified", async (context) => {
  context.skip(ca === undefined, "there is no openssl to make a certificate with");
  expect(await stopsOver({ host: "localhost", port: server.port, ssl: { ca: ca! } })).toEqual({
    tls: true,
  });
});

test("a query over TLS to an IP address is stopped with the connection's own TLS options", async (context) => {
  context.skip(ca === undefined, "there is no openssl to make a certificate with");
  expect(await stopsOver({ host: "127.0.0.1", port: server.port, ssl: { ca: ca! } })).toEqual({
    tls: true,
  });
  const careless = { rejectUnauthorized: false };
  expect(await stopsOver({ host: "127.0.0.1", port: server.port, ssl: careless })).toEqual({
    tls: true,
  });
});

test("a query over direct TLS (sslnegotiation=direct) is stopped", async (context) => {
  context.skip(ca === undefined, "there is no openssl to make a certificate with");
  const ssl = { ca: ca! };
  const direct = { host: "localhost", port: server.port, ssl, sslnegotiation: "direct" as const };
  expect(await stopsOver(direct)).toEqual({ tls: true });
});
