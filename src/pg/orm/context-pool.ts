/** Pools for ORMs that keep their pool for the life of the process and pass no context on. */
import { settingsOf, type Settings } from "../../adapter/index.ts";
import { contextOf } from "../../adapter/orm/inherited-context.ts";
import { overrideMethods } from "../../adapter/orm/override-methods.ts";
import { currentFrame, runInFrame } from "../../current/current-context.ts";
import { isPool } from "../driver.ts";
import { needPoolOrClass } from "../misuse.ts";
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
 * Returns a pool whose queries belong to the current context, over `pool`. Use it for ORMs that keep
 * their pool for the life of the process. Call it once for each pool, and use the pool that it
 * returns in place of `pool`. Its `end` ends both.
 *
 * Inside `runWithContext(ctx, …)` of "eightysix/current", the pool behaves as `bind(ctx, pool)`
 * does. Without a current context it behaves as the pool itself.
 *
 * A connection belongs to the `runWithContext` in which it was leased. Its queries belong to that
 * context, or to the context of a `runWithContext` inside it. An ORM may therefore use a connection
 * from anywhere. The pool's own operations (connecting, its hooks and events) belong to no context.
 *
 * Also takes the class, for an ORM that creates the pool itself, such as TypeORM: `contextPool(pg.Pool)`
 * returns a subclass of `pg.Pool` whose objects are such pools.
 *
 * Throws a TypeError for anything but a pool or a class of pools.
 *
 * @example
 * const pool = contextPool(new pg.Pool({ max: 10 }));
 * const prisma = new PrismaClient({ adapter: new PrismaPg(pool) }).$extends(prismaExtension);
 * const orders = await runWithContext(ctx, () => prisma.order.findMany());
 */
export function contextPool<P extends PoolLike | (new (...args: never) => PoolLike)>(
  pool: P,
  options: WithContextOptions = {},
): P {
  needPoolOrClass(pool);
  const settings = settingsOf(options);
  const bound: unknown = isPool(pool)
    ? overPool(pool as unknown as AnyPool, settings)
    : overClass(pool as unknown as AnyPoolClass, settings);
  return bound as P;
}

function overPool(own: AnyPool, settings: Settings): AnyPool {
  const bound = new BoundPool(
    { connect: (callback) => void runInFrame(undefined, () => own.connect(callback)) },
    settings,
  );
  const proxy: AnyPool = overrideMethods(own, {
    connect: (callback?: unknown) => {
      const frame = currentFrame();
      return deliverClient(bound.connect(frame?.ctx, contextOf(frame)), callback);
    },
    query: (...args: unknown[]) => {
      const frame = currentFrame();
      if (frame !== undefined && isSqlOrConfig(args)) return bound.query(frame.ctx, args);
      // pg's own `query`, which leases a client from the proxy.
      const query: unknown = Reflect.get(own, "query");
      return Reflect.apply(query as AnyQuery, proxy, args);
    },
  });
  return proxy;
}

/**
 * A subclass of `pg.Client` would be shorter but wrong. When another request releases a client, the
 * pool serves the waiter inside that call, and so inside that request's context.
 */
function overClass(Base: AnyPoolClass, settings: Settings): AnyPoolClass {
  return class ContextPool extends Base {
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
  };
}

type AnyQuery = (...args: unknown[]) => unknown;

interface AnyPool {
  connect(callback?: unknown): unknown;
  query(...args: unknown[]): unknown;
}

type AnyPoolClass = new (...args: unknown[]) => AnyPool;
