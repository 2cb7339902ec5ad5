/** The demo's web server: the page, its live figures, and the two report endpoints. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { send } from "./traffic.ts";
import type { Databases } from "./databases.ts";
import { reportWithoutContexts, reportWithContexts } from "./reports.ts";
import { Tally, type Mode } from "./tally.ts";

/** What `GET /live` sends, several times a second. */
interface Live {
  modes: Record<
    Mode,
    { open: number; left: number; answered: number; postgres: number; duckdb: number }
  >;
  /** Busy threads of libsql. A thread does not say which request it works for. */
  libsql: number;
  /** Cores that this process uses: CPU time per second of wall time. PostgreSQL is not included. */
  cpu: number;
  ended: Tally["ended"];
}

/** Milliseconds between two messages of `GET /live`. */
const EVERY = 250;

/** The report endpoint of each mode. */
export const endpoints: Record<Mode, string> = {
  without: "/report-without-contexts",
  with: "/report",
};

export interface DemoServer {
  readonly url: string;
  readonly tally: Tally;
  /** Closes all connections, and resolves when the server is closed. */
  close(): Promise<void>;
}

/**
 * Serves the page and the endpoints on 127.0.0.1. Port 0 takes a free one. When `ended` aborts, the
 * clients that the page has started stop.
 */
export async function startServer(
  databases: Databases,
  port: number,
  ended: AbortSignal,
): Promise<DemoServer> {
  const root = createRequire(import.meta.url).resolve("eightysix/package.json");
  const page = await readFile(join(dirname(root), "demo/page.html"), { signal: ended });
  const tally = new Tally();
  let url = "";

  const crowd = (mode: Mode, res: ServerResponse): void => {
    const first = tally.last + 1;
    const clients = Array.from({ length: 50 }, (_, i) => {
      return { request: first + i, arrives: i * 20, patience: 50 + Math.random() * 250 };
    });
    const plan = { url: url + endpoints[mode], clients };
    send(plan, ended).catch(() => undefined);
    res.writeHead(202).end();
  };
  const sendPage = (_req: IncomingMessage, res: ServerResponse): void => {
    res.setHeader("content-type", "text/html; charset=utf-8").end(page);
  };
  const routes: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    "GET /": sendPage,
    "HEAD /": sendPage, // Node leaves the body out
    [`GET ${endpoints.with}`]: reportWithContexts(databases, tally),
    [`GET ${endpoints.without}`]: reportWithoutContexts(databases, tally),
    "GET /live": liveFigures(databases, tally),
    "POST /crowd/with": (_req, res) => crowd("with", res),
    "POST /crowd/without": (_req, res) => crowd("without", res),
  };
  const server = createServer((req, res) => {
    const [path] = (req.url ?? "/").split("?");
    const route = routes[`${req.method ?? "GET"} ${path ?? "/"}`];
    if (!isFromHere(req, new URL(url).port)) res.writeHead(403).end("forbidden\n");
    else if (route === undefined) res.writeHead(404).end("not found\n");
    else route(req, res);
  });
  url = `http://127.0.0.1:${await listen(server, port)}`;
  return {
    url,
    tally,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });
}

/**
 * Returns whether a request was made to this server by name, and by no page of another site. The
 * server is for this machine alone, but every website that is open in its browser can send requests
 * here (DNS rebinding, cross-site requests), and reports cost much CPU.
 */
function isFromHere({ headers }: IncomingMessage, port: string): boolean {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  const { host = "", origin } = headers;
  return hosts.includes(host) && (origin === undefined || origin === `http://${host}`);
}

/** Sends the figures as server-sent events until the page is closed. */
function liveFigures({ spans }: Databases, tally: Tally) {
  return (_req: IncomingMessage, res: ServerResponse): void => {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    let cpu = process.cpuUsage();
    let time = performance.now();
    const timer = setInterval(() => {
      const used = process.cpuUsage(cpu);
      const elapsed = performance.now() - time;
      cpu = process.cpuUsage();
      time = performance.now();
      const of = (mode: Mode): Live["modes"][Mode] => {
        const open = tally.open[mode];
        const running = spans.running().filter(({ worker }) => open.has(worker));
        return {
          open: open.size,
          left: [...open].filter((request) => tally.left.has(request)).length,
          answered: tally.answered[mode],
          postgres: running.filter(({ engine }) => engine === "postgres").length,
          duckdb: running.filter(({ engine }) => engine === "duckdb").length,
        };
      };
      const figures: Live = {
        modes: { without: of("without"), with: of("with") },
        libsql: spans.running("libsql").length,
        cpu: (used.user + used.system) / 1000 / elapsed,
        ended: tally.ended,
      };
      res.write(`data: ${JSON.stringify(figures)}\n\n`);
    }, EVERY);
    res.on("close", () => {
      clearInterval(timer);
    });
  };
}
