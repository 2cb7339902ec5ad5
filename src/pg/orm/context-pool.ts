/** Pools for ORMs that keep their pool for the life of the process and pass no context on. */
import { settingsOf } from "../../adapter/index.ts";
import { contextOf } from "../../adapter/orm/inherited-context.ts";
import { currentFrame, runInFrame } from "../../current/current-context.ts";
import { needPoolClass } from "../misuse.ts";
import type { WithContextOptions } from "../settings.ts";
import type { PoolLike } from "../types.ts";
import { BoundPool, deliverClient } from "./bound-pool.ts";
import { isSqlOrConfig } from "./query-arguments.ts";

// In the global symbol registry, because two copies of the package can meet in one process.
const CONTEXT_POOL = Symbol.for("eightysix.pg.contextPool");

/** Returns whether the class of `pool` comes from `contextPool`. */
export function isContextPool(pool: object): boolean {
  return CONTEXT_POOL in pool;
}

/**
 * Returns a subclass of `pg.Pool` whose queries belong to the current context. Use it for ORMs that
 * keep their pool for the life of the process. Call it once, and create pools from the class that it
 * returns.
 *
 * Inside `runWithContext(ctx, …)` of "eightysix/current", the pool behaves as `bind(ctx, pool)`
 * does. Without a current context it behaves as the Pool itself.
 *
 * A connection belongs to the `runWithContext` in which it was leased. Its queries belong to that
 * context, or to the context of a `runWithContext` inside it. An ORM may therefore use a connection
 * from anywhere. The pool's own operations (connecting, its hooks and events) belong to no context.
 *
 * Throws a TypeError for anything but a class of pools.
 *
 * @example
 * const pool = new (contextPool(pg.Pool))({ max: 10 });
 * const prisma = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
 * const orders = await runWithContext(ctx, () => prisma.order.findMany());
 */
export function contextPool<C extends new (...args: never) => PoolLike>(
  PoolClass: C,
  options: WithContextOptions = {},
): C {
  needPoolClass(PoolClass);
  const settings = settingsOf(options);
  const Base = PoolClass as unknown as AnyPoolClass;

  // A subclass of `pg.Client` would be shorter but wrong. When another request releases a client,
  // the pool serves the waiter inside that call, and so inside that request's context.
  class ContextPool extends Base {
    readonly #bound = new BoundPool(
      { connect: (callback) => void runInFrame(undefined, () => super.connect(callback)) },
      settings,
    );

    get [CONTEXT_POOL](): true {
      return true;
    }

    override connect(callback?: unknown): unknown {
      const frame = currentFrame();
      return deliverClient(this.#bound.connect(frame?.ctx, contextOf(frame)), callback);
    }

    override query(...args: unknown[]): unknown {
      const frame = currentFrame();
      if (frame === undefined || !isSqlOrConfig(args)) return super.query(...args);
      return this.#bound.query(frame.ctx, args);
    }
  }
  return ContextPool as unknown as C;
}

type AnyPoolClass = new (...args: unknown[]) => {
  connect(callback?: unknown): unknown;
  query(...args: unknown[]): unknown;
};
