/** A Pool for those who keep it for the life of the process and hand no context on: ORMs. */
import { runInFrame, currentFrame, isWithin, type Frame } from "../../current/current-context.ts";
import { isPlain } from "./bind.ts";
import { answerConnect, BoundPool } from "./bound-pool.ts";
import type { ContextOf } from "./bound-client.ts";
import { settingsOf } from "../../adapter/settings.ts";
import type { WithContextOptions } from "../settings.ts";
import type { PoolLike } from "../types.ts";

/**
 * A subclass of the given `pg.Pool` for ORMs that keep their pool for the life of the process. What
 * is asked of it within `run(ctx, () => …)` belongs to that context, as if it had been asked of
 * `bind(ctx, pool)`; what is asked outside of any `run` is exactly as with the Pool itself.
 *
 *     const pool = new (contextPool(pg.Pool))({ max: 10 });
 *     const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
 *     await run(ctx, () => prisma.order.findMany());
 *
 * A connection belongs to the `run` in which it was asked for: its queries belong to that, or to a
 * `run` inside it. So an ORM may do its work from wherever it likes, once it has a connection.
 *
 * A subclass of `pg.Client` would be less to write and would not do: a Pool serves those who wait
 * from within the call of whoever releases a connection, hence in a stranger's context. What the
 * pool itself does (connecting, its hooks and events) belongs to no context.
 */
export function contextPool<C extends new (...args: never) => PoolLike>(
  PoolClass: C,
  options: WithContextOptions = {},
): C {
  if (typeof PoolClass !== "function") {
    throw new TypeError(
      `contextPool takes the class, as contextPool(pg.Pool), got ${typeof PoolClass}; make the pool from what it returns`,
    );
  }
  const settings = settingsOf(options);
  const Base = PoolClass as unknown as AnyPoolClass;

  class ContextPool extends Base {
    readonly #bound = new BoundPool(
      { connect: (callback) => void runInFrame(undefined, () => super.connect(callback)) },
      settings,
    );

    override connect(callback?: unknown): unknown {
      const scope = currentFrame();
      return answerConnect(this.#bound.connect(scope?.ctx, contextOf(scope)), callback);
    }

    override query(...given: unknown[]): unknown {
      const scope = currentFrame();
      if (scope === undefined || !isPlain(given)) return super.query(...given);
      return this.#bound.query(scope.ctx, given);
    }
  }
  return ContextPool as unknown as C;
}

type AnyPoolClass = new (...args: unknown[]) => {
  connect(callback?: unknown): unknown;
  query(...args: unknown[]): unknown;
};

function contextOf(lentIn: Frame | undefined): ContextOf {
  return () => {
    const scope = currentFrame();
    if (lentIn === undefined) return scope?.ctx;
    return scope !== undefined && isWithin(scope, lentIn) ? scope.ctx : lentIn.ctx;
  };
}
