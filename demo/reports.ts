/** The same endpoint twice: as it is usually written, and with contexts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import Database from "libsql/promise";
import { afterFunc, all, stopped } from "eightysix";
import { withContext as duckdb } from "eightysix/duckdb";
import { handler, requestContext } from "eightysix/http";
import { withContext as libsql } from "eightysix/libsql";
import { withContext as postgres } from "eightysix/pg";
import type { LibsqlStatement } from "./data.ts";
import { connectDuckdb } from "./duckdb-data.ts";
import type { Databases } from "./databases.ts";
import { marked } from "./observe-postgres.ts";
import type { Tally } from "./tally.ts";

type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** Serves `GET /report`. When the client leaves, all three databases stop. */
export function reportWithContexts(
  { data, pool, duckdbConnections }: Databases,
  tally: Tally,
): Handler {
  const db = postgres(pool);
  return handler(async (ctx, req, res) => {
    const request = tally.begin("with", req.url);
    afterFunc(ctx, async () => tally.recordReceipts(request, await stopped(ctx)));
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
      respond(res, together.rows, pages.getRowObjects(), disputes);
    } finally {
      tally.end("with", request, res.writableEnded);
    }
  });
}

/** Serves `GET /report-without-contexts`. It does not notice that its client has left. */
export function reportWithoutContexts(
  { data, pool, duckdbConnections }: Databases,
  tally: Tally,
): Handler {
  return (req, res) => {
    const request = tally.begin("without", req.url);
    // Only for the counts on the page. The code below does not use it.
    afterFunc(
      requestContext(req),
      () => tally.open.without.has(request) && tally.left.add(request),
    );
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
        respond(res, together.rows, pages.getRowObjects(), disputes);
      })
      .catch(() => res.writeHead(500).end())
      .finally(() => {
        tally.end("without", request, !tally.left.has(request));
      });
  };
}

function respond(res: ServerResponse, together: unknown, pages: unknown, disputes: unknown): void {
  res.setHeader("content-type", "application/json");
  res.end(
    JSON.stringify({ together, pages, disputes }, (_key, value: unknown) =>
      typeof value === "bigint" ? Number(value) : value,
    ),
  );
}
