/** A cancel request reaches the server over the same transport as the connection that it is for. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Duplex } from "node:stream";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { background, CanceledError, withCancel } from "../index.ts";
import { startPostgres, type PostgresServer } from "../../servers/postgres.ts";
import { mark, observer, until } from "../../test/support/postgres.ts";
import { testSql, wholePool } from "../../test/support/postgresjs.ts";
import { watchReports } from "../../test/support/reports.ts";
import { startProxy } from "../../test/support/proxy.ts";
import { withContext } from "./index.ts";

const warnings = watchReports();

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

/** Gives the server a certificate for localhost and returns it. Throws if openssl is missing. */
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

type Options = Parameters<typeof testSql>[0] & object;

/** Returns a pool for the server. `options` override the server's URL. */
function sqlWith(options: Options) {
  const { password } = new URL(server.url);
  const own = { user: "postgres", database: "postgres", password, port: server.port, max: 1 };
  return testSql({ ...own, ...options }, "");
}

async function stopsOver(options: Options): Promise<{ tls: boolean }> {
  const sql = sqlWith(options);
  const look = await observer({ connectionString: server.url });
  const db = withContext(sql, { stopTimeout: 10_000 });
  const about = sql<{ ssl: boolean }[]>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
  const [before] = await wholePool(sql);
  const m = mark();
  using ctx = withCancel(background());
  const query = db.query(ctx, sql`select pg_sleep(60) ${sql.unsafe(m)}`).catch((e: unknown) => e);
  await until(async () => (await look.running(m)) === 1);
  ctx.cancel();
  expect(await query).toBeInstanceOf(CanceledError);
  await until(async () => (await look.running(m)) === 0);
  expect(await wholePool(sql)).toEqual([before]);
  return { tls: (await db.query(background(), about))[0]!.ssl };
}

test("a query over a Unix socket is stopped on the server", async () => {
  await stopsOver({ host: sockets });
});

test("a query over IPv6 is stopped on the server", async (context) => {
  const host = { host: ["::1"], port: [server.port] } as unknown as Options;
  const works = await sqlWith(host)`select 1`.then(
    () => true,
    () => false,
  );
  context.skip(!works, "this machine has no IPv6");
  await stopsOver(host);
  await stopsOver({ host: "::1" });
});

test("a query over a socket that the user opens is stopped on the server", async () => {
  let opened = 0;
  const socket = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      opened++;
      const socket = connect(server.port, "127.0.0.1", () => resolve(socket));
      socket.once("error", reject);
    });
  await stopsOver({ host: "nowhere.invalid", socket } as Options);
  expect(opened).toBe(2);
});

test("a stream that the user opens as a socket is destroyed if the server stops nothing, and its place becomes free", async () => {
  const streams: Duplex[] = [];
  const socket = (): Promise<Duplex> =>
    new Promise((resolve, reject) => {
      const raw = connect(server.port, "127.0.0.1", () => resolve(stream));
      raw.once("error", reject);
      const isCancel = streams.length === 1;
      // Such as a channel of ssh2. The second one, for the cancel request, swallows what it is given.
      const stream = new Duplex({
        read: () => void raw.resume(),
        write: (chunk, _, done) => (isCancel ? done() : void raw.write(chunk as Buffer, done)),
        final: (done) => void raw.end(done),
        destroy(error, done) {
          raw.destroy();
          done(error);
        },
      });
      raw.on("data", (chunk) => stream.push(chunk)).on("end", () => stream.push(null));
      streams.push(stream);
    });
  const sql = sqlWith({ max: 1, socket } as Options);
  const look = await observer({ connectionString: server.url });
  const db = withContext(sql, { stopTimeout: 200 });
  const m = mark();
  using ctx = withCancel(background());
  const query = db.query(ctx, sql`select pg_sleep(60) ${sql.unsafe(m)}`);
  query.catch(() => undefined);
  await until(async () => (await look.running(m)) === 1);
  ctx.cancel();
  await expect(query).rejects.toBe(ctx.err());
  expect(streams[0]!.destroyed).toBe(true);
  expect(await db.query(background(), sql`select 1 as n`)).toEqual([{ n: 1 }]);
  expect(streams).toHaveLength(3);
  expect(warnings).toEqual([]);
});

test("queries on several hosts are stopped on the server, on whichever host each runs", async () => {
  const [one, two] = [await startProxy(server), await startProxy(server)];
  const hosts = { host: [one.host, "127.0.0.1", two.host], port: [one.port, 1, two.port] };
  const sql = sqlWith({ ...(hosts as unknown as Options), max: 2 });
  const look = await observer({ connectionString: server.url });
  const db = withContext(sql, { stopTimeout: 10_000 });
  const before = await wholePool(sql);
  const m = mark();
  using ctx = withCancel(background());
  const slow = () =>
    db.query(ctx, sql`select pg_sleep(60) ${sql.unsafe(m)}`).catch((e: unknown) => e);
  const both = [slow(), slow()];
  await until(async () => (await look.running(m)) === 2);
  ctx.cancel();
  expect(await Promise.all(both)).toEqual([ctx.err(), ctx.err()]);
  expect(await wholePool(sql)).toEqual(before);
});

test.each([
  ["a verified name of the server", { host: "localhost", ssl: "ca" }],
  ["an IP address", { host: "127.0.0.1", ssl: "ca" }],
  ['ssl "require"', { host: "127.0.0.1", ssl: "require" }],
  ['ssl "prefer"', { host: "127.0.0.1", ssl: "prefer" }],
  ['sslnegotiation "direct"', { host: "localhost", ssl: "ca", sslnegotiation: "direct" }],
])("a query over TLS with %s is stopped on the server", async (_, options) => {
  if (ca === undefined) return; // openssl is missing, so there is no certificate
  const ssl = options.ssl === "ca" ? { ca } : options.ssl;
  expect(await stopsOver({ ...options, ssl } as Options)).toEqual({ tls: true });
});

test("a TLS connection that the server does not stop is destroyed", async () => {
  if (ca === undefined) return;
  const proxy = await startProxy(server);
  const sql = sqlWith({ host: proxy.host, port: proxy.port, ssl: "require" });
  const db = withContext(sql, { stopTimeout: 300 });
  await wholePool(sql);
  using ctx = withCancel(background());
  const query = db.query(ctx, sql`select pg_sleep(3)`).catch((e: unknown) => e);
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.links[0]!.stall();
  ctx.cancel();
  expect(await query).toBe(ctx.err());
  await wholePool(sql);
  await until(() => proxy.open === 1);
});
