/** Prisma's own batching, which knows nothing of who asked. */
import { orDone, throwIfDone } from "../../index.ts";
import { currentFrame, runWithoutContext } from "../../current/current-context.ts";

/** What Prisma tells a query extension, its undocumented part included. */
interface PrismaCall {
  readonly operation: string;
  readonly args: unknown;
  readonly query: (args: never) => PromiseLike<unknown>;
  readonly __internalParams?: { readonly transaction?: { readonly kind?: string } };
}

/**
 * A Prisma extension, for clients over a `contextPool`:
 *
 *     const prisma = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
 *
 * Without it one request can stop another's query: Prisma sends every `findUnique`, and every array
 * given to `$transaction`, that is asked for in one turn of the event loop from within the first
 * one's call; it even makes one statement of several `findUnique`. With it those belong to nobody:
 * `ctx` ends the wait for them, and the server finishes them. In an interactive transaction they are
 * stopped like any other.
 *
 * It also undoes Prisma's wrapping: what was stopped rejects with `ctx.err()`. (Without it, with a
 * PrismaClientKnownRequestError of the same `code`, and no `cause`.)
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
        const isOurs = (error as { code?: unknown } | null)?.code === err?.code;
        throw err !== undefined && isOurs ? err : error;
      }
    },
  },
};
