// The adapter of pg.

/** @type {import("./mutant.ts").Group} */
export const group = {
  needsServers: true,
  mutants: [
    {
      name: "a cancel request counts as harmless as soon as it was written",
      file: "src/adapter/postgresql/cancel-request.ts",
      find: "over.write(message(CANCEL, this.#target.pid, this.#target.secret));",
      replace:
        "over.write(message(CANCEL, this.#target.pid, this.#target.secret), () => resolve());",
      tests: ["src/pg/conformance.test.ts > late stops"],
    },
    {
      name: "the caller's next query is not held back while a cancel request is on its way",
      file: "src/pg/running-query.ts",
      find: "    this.#client.connection.stream.cork();\n",
      replace: "",
      tests: ["src/pg/index.test.ts > sends none of the next queries"],
    },
    {
      name: "a canceled query does not wait for its cancel request",
      file: "src/adapter/postgresql/cancelable-query.ts",
      find: "const proof = await request.send(signal);",
      replace: 'void request.send(signal);\n    const proof = "unproven";',
      tests: ["src/pg/conformance.test.ts > late stops"],
    },
    {
      name: "no cancel request is sent",
      file: "src/adapter/postgresql/cancelable-query.ts",
      find: "const proof = await request.send(signal);",
      replace: 'const proof = "unproven";',
      tests: ["src/pg/index.test.ts > a query from a pool"],
    },
    {
      name: "every error of a canceled query becomes the context's error",
      file: "src/adapter/postgresql/canceled-query.ts",
      find: "if (code !== QUERY_CANCELED) return false;",
      replace: "void code;",
      tests: ["src/pg/conformance.test.ts > an error of the server arrives unchanged"],
    },
    {
      name: "a query that fails gives its connection back before the server is ready",
      file: "src/pg/running-query.ts",
      find: "if (!isServerError(error) || readyForQuery) reject();",
      replace: "if (!isServerError(error) || readyForQuery || error) reject();",
      tests: ["src/pg/index.test.ts > a query that fails"],
    },
    {
      name: "a connection inside a transaction goes back to the pool",
      file: "src/pg/pool-query.ts",
      find: "if (mustClose || !this.isReusable)",
      replace: "if (mustClose)",
      tests: ["src/pg/index.test.ts > costs its connection"],
    },
    {
      name: "a connection is used again although its stop was not proven",
      file: "src/pg/pool-query.ts",
      find: "if (mustClose || !this.isReusable)",
      replace: "if (!this.isReusable)",
      tests: ["src/pg/conformance.test.ts > a result that arrives before the stop"],
    },
    {
      name: "a query is stopped again before the server had time to answer",
      file: "src/adapter/postgresql/canceled-query.ts",
      find: "if (stoppedAt - sentAt >= JUST_SENT) return SELDOM;",
      replace: "void stoppedAt;",
      tests: ["src/adapter/postgresql/canceled-query.test.ts > a cancel request is repeated"],
    },
    {
      name: "clients that leave again and again get a cancel request each",
      file: "src/adapter/postgresql/cancel-places.ts",
      find: "  await places.take(ctx);\n",
      replace: "",
      tests: ["src/adapter/postgresql/cancel-request.test.ts > a server"],
    },
    {
      name: "a client that is granted to a query whose context has ended stays leased",
      file: "src/pg/lease-client.ts",
      find: "queueMicrotask(() => client.release());",
      replace: "void 0;",
      tests: ["src/pg/conformance.test.ts > an operation that waits for a connection leaves"],
    },
    {
      name: "a query is sent after its context has ended",
      file: "src/pg/pool-query.ts",
      find: "if (this.hasEnded || this.ctx.err() !== undefined) {",
      replace: "if (this.hasEnded) {",
      tests: ["src/pg/index.test.ts > is not sent after its deadline"],
    },
    {
      name: "a connection that was destroyed goes back to its pool as a healthy one",
      file: "src/pg/end-client.ts",
      find: "  client.release(true);\n  client.connection.stream.destroy();",
      replace: "  client.release();",
      tests: ["src/pg/conformance.test.ts > an operation whose stop is never answered"],
    },
    {
      name: "a COMMIT that the server answered with ROLLBACK counts as a success",
      file: "src/pg/session.ts",
      find: 'if (command !== "COMMIT") throw new NothingCommittedError();',
      replace: "void command;",
      tests: ["src/pg/transaction.test.ts > ERR_NOTHING_COMMITTED"],
    },
  ],
};
