/** The same endpoint twice: as people write it today, and with contexts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import Database from "libsql/promise";
import { afterFunc, all, stopped } from "eightysix";
import { withContext as duckdb } from "eightysix/duckdb";
import { handler, requestContext } from "eightysix/http";
import { withContext as libsql } from "eightysix/libsql";
import { withContext as postgres } from "eightysix/pg";
import type { LibsqlStatement } from "./data.ts";
import { connectDuckdb } from "./duckdb-data.ts";
import type { Kitchen } from "./databases.ts";
import { marked } from "./observe-postgres.ts";
import type { Tally } from "./tally.ts";

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** `GET /report`: when the client leaves, all three databases stop. */
export function reportWithContexts(
  { data, pool, duckdbConnections }: Kitchen,
  tally: Tally,
): Handler {
  const db = postgres(pool);
  return handler(async (ctx, req, res) => {
    const request = tally.begin("contexts", req.url);
    afterFunc(ctx, async () => {
      const receipts = await stopped(ctx);
      if (receipts.some(({ reason }) => reason !== "finished")) tally.bury(request, receipts);
    });
    try {
      const [together, pages, disputes] = await all(ctx, [
        (ctx) => db.query(ctx, marked(data.postgres.sql, request), [data.postgres.span]),
        async (ctx) => {
          const connection = await connectDuckdb(data.duckdb.instance);
          duckdbConnections.set(connection, request);
          try {
            return await duckdb(connection).runAndReadAll(ctx, data.duckdb.sql, [data.duckdb.span]);
          } finally {
            duckdbConnections.delete(connection);
            connection.closeSync();
          }
        },
        async (ctx) => {
          const database = new Database(data.libsql.path, {});
          try {
            return await libsql(database).all(ctx, data.libsql.sql, data.libsql.span);
          } finally {
            database.close();
          }
        },
      ]);
      answer(res, together.rows, pages.getRowObjects(), disputes);
    } finally {
      tally.end("contexts", request, res.writableEnded);
    }
  });
}

/** `GET /report-deaf`: it never learns that its client has left. */
export function reportDeaf({ data, pool, duckdbConnections }: Kitchen, tally: Tally): Handler {
  return (req, res) => {
    const request = tally.begin("deaf", req.url);
    // Only for the page: the code below does not look.
    afterFunc(requestContext(req), () => tally.open.deaf.has(request) && tally.left.add(request));
    Promise.all([
      pool.query(marked(data.postgres.sql, request), [data.postgres.span]),
      (async () => {
        const connection = await connectDuckdb(data.duckdb.instance);
        duckdbConnections.set(connection, request);
        try {
          return await connection.runAndReadAll(data.duckdb.sql, [data.duckdb.span]);
        } finally {
          duckdbConnections.delete(connection);
          connection.closeSync();
        }
      })(),
      (async () => {
        const database = new Database(data.libsql.path, {});
        try {
          const statement = (await database.prepare(data.libsql.sql)) as LibsqlStatement;
          return await statement.all(data.libsql.span);
        } finally {
          database.close();
        }
      })(),
    ])
      .then(([together, pages, disputes]) => {
        answer(res, together.rows, pages.getRowObjects(), disputes);
      })
      .catch(() => res.writeHead(500).end())
      .finally(() => {
        tally.end("deaf", request, !tally.left.has(request));
      });
  };
}

function answer(res: ServerResponse, together: unknown, pages: unknown, disputes: unknown): void {
  res.setHeader("content-type", "application/json");
  res.end(
    JSON.stringify({ together, pages, disputes }, (_key, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    ),
  );
}
