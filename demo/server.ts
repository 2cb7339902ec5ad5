/** The demo's web server: the page, its live figures, and the two endpoints. */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { send } from "./traffic.ts";
import type { Kitchen } from "./databases.ts";
import { reportDeaf, reportWithContexts } from "./reports.ts";
import { Tally, type Mode } from "./tally.ts";

/** What `GET /live` sends, several times a second. */
interface Live {
  modes: Record<
    Mode,
    { open: number; left: number; answered: number; postgres: number; duckdb: number }
  >;
  /** Threads of libsql that are busy; they cannot be told apart by request. */
  libsql: number;
  /** CPU time used by this process per second of wall time; 1 is one core. PostgreSQL's is not in it. */
  cpu: number;
  dead: Tally["dead"];
}

const EVERY = 250;
const endpoints: Record<Mode, string> = { deaf: "/report-deaf", contexts: "/report" };

export interface DemoServer {
  readonly url: string;
  readonly tally: Tally;
  /** Closes all connections and resolves when the server is closed. */
  close(): Promise<void>;
}

/** Serves on 127.0.0.1; `port` 0 takes a free one. `ended` stops what the page has started. */
export async function startServer(
  kitchen: Kitchen,
  port: number,
  ended: AbortSignal,
): Promise<DemoServer> {
  const root = createRequire(import.meta.url).resolve("eightysix/package.json");
  const page = await readFile(join(dirname(root), "demo/page.html"));
  const tally = new Tally();
  const report = reportWithContexts(kitchen, tally);
  const deaf = reportDeaf(kitchen, tally);
  const live = liveFigures(kitchen, tally);
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
  const routes: Record<string, (req: IncomingMessage, res: ServerResponse) => void> = {
    "GET /": (_req, res) => res.setHeader("content-type", "text/html; charset=utf-8").end(page),
    "GET /report": report,
    "GET /report-deaf": deaf,
    "GET /live": live,
    "POST /crowd/contexts": (_req, res) => crowd("contexts", res),
    "POST /crowd/deaf": (_req, res) => crowd("deaf", res),
  };
  const server = createServer((req, res) => {
    const [path] = (req.url ?? "/").split("?");
    const route = routes[`${req.method ?? "GET"} ${path ?? "/"}`];
    if (route === undefined) res.writeHead(404).end("not found\n");
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

/** Server-sent events until the page is closed. */
function liveFigures({ spans }: Kitchen, tally: Tally) {
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
        modes: { deaf: of("deaf"), contexts: of("contexts") },
        libsql: spans.running("libsql").length,
        cpu: (used.user + used.system) / 1000 / elapsed,
        dead: tally.dead,
      };
      res.write(`data: ${JSON.stringify(figures)}\n\n`);
    }, EVERY);
    res.on("close", () => {
      clearInterval(timer);
    });
  };
}
