/** The extension for Prisma, which batches the queries of several requests. */
import { orDone, throwIfDone } from "../../index.ts";
import { currentFrame, runWithoutContext } from "../../current/current-context.ts";

/** The argument that Prisma passes to a query extension, including its undocumented part. */
interface PrismaCall {
  readonly operation: string;
  readonly args: unknown;
  readonly query: (args: never) => PromiseLike<unknown>;
  /** `kind` is "itx" in an interactive transaction, and "batch" in an array of `$transaction`. */
  readonly __internalParams?: { readonly transaction?: { readonly kind?: string } };
}

/**
 * A Prisma extension for clients over a `contextPool`. Without it, the end of one request can stop
 * another request's query.
 *
 * The reason is Prisma's batching. In each turn of the event loop, Prisma collects every
 * `findUnique` and every array of `$transaction`, and sends them all from inside the first call. It
 * even merges several `findUnique` calls into one statement. With the extension, these operations
 * belong to no context: `ctx` ends the wait for them, and the server finishes them. Inside an
 * interactive transaction they are stopped like all other operations.
 *
 * The extension also removes Prisma's wrapping from context errors: an operation that was stopped
 * rejects with `ctx.err()`. Without the extension it rejects with a PrismaClientKnownRequestError
 * that has the same `code` and no `cause`.
 *
 * @example
 * const pool = contextPool(new pg.Pool());
 * const prisma = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
 */
export const prismaExtension = {
  name: "eightysix",
  query: {
    async $allOperations(call: PrismaCall): Promise<never> {
      const { operation, args, query, __internalParams } = call;
      const run = query as (args: unknown) => PromiseLike<unknown>;
      const ctx = currentFrame()?.ctx;
      if (ctx === undefined) return (await run(args)) as never;
      const kind = __internalParams?.transaction?.kind;
      try {
        throwIfDone(ctx);
        if (!operation.startsWith("findUnique") && kind !== "batch") {
          return (await run(args)) as never;
        }
        const shared = runWithoutContext(() => run(args));
        return (await (kind === "itx" ? shared : orDone(ctx, shared))) as never;
      } catch (error) {
        const err = ctx.err();
        const isContextsError = (error as { code?: unknown } | null)?.code === err?.code;
        throw err !== undefined && isContextsError ? err : error;
      }
    },
  },
};
