/** How an adapter hands the promise of an operation to its caller. */
import { isContextError, type Context } from "../index.ts";
import { enterCall, isDevelopment, isFinished } from "../internal.ts";

/** A method with a context first. */
type Method = (ctx: Context, ...args: never[]) => unknown;

/**
 * Returns `method`, for the program. If a promise that it returned rejects because its context has
 * ended as finished, that promise counts as handled: the program has forgotten an `await`, and such a
 * rejection would end the process. A caller that does await it gets the rejection as ever.
 *
 * `name` is that of the method, for the reports of development mode.
 */
export function handOver<M extends Method>(method: M, name = "a call"): M {
  const handed = (ctx: Context, ...args: never[]): unknown => {
    const own = isDevelopment() ? enterCall(ctx, name, handed) : ctx;
    const result = method(own, ...args);
    return result instanceof Promise ? handOverPromise(ctx, result) : result;
  };
  return handed as M;
}

/** Applies `handOver` to all methods of an object. */
export function handOverAll<T extends object>(methods: T): T {
  const entries = Object.entries(methods).map(([name, member]: [string, unknown]) => [
    name,
    typeof member === "function" ? handOver(member as Method, name) : member,
  ]);
  return Object.fromEntries(entries) as T;
}

function handOverPromise<T>(ctx: Context, promise: Promise<T>): Promise<T> {
  const handed = new Promise<T>((resolve, reject) => {
    promise.then(resolve, (error: unknown) => {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the operation's own
      reject(error);
      if (isContextError(error) && isFinished(ctx)) handed.catch(ignore);
    });
  });
  return handed;
}

function ignore(): void {
  // The ledger reports the work that a finished request leaves behind.
}
