/** The contract between `runStoppable` and an adapter, for one operation. */

/**
 * What an adapter says about one operation: how it starts, how it is stopped, and what happens to
 * its resource. `runStoppable` calls the methods in the order in which they are listed here.
 *
 * Whatever these methods throw, the caller gets the outcome of the operation, and the process goes
 * on. An error that a method must not throw is reported as a process warning.
 */
export interface Operation<T> {
  /**
   * The kind of work for the ledger, such as "pg.query". An operation that consists of several
   * pieces of work has no kind here. It records them itself, and ends the last one in `release`.
   */
  readonly kind?: string | undefined;
  /** The description of the work for the ledger, such as the SQL text. */
  readonly what?: string | undefined;
  /**
   * Starts the operation. Called once, or not at all if the context is done already. Reports the
   * outcome by the promise that it returns. A driver with callbacks returns `undefined` and calls
   * `resolver` instead, which saves a promise. If `start` throws, that error is the outcome.
   *
   * A rejection of the promise counts as an answer of the other side. If some errors of the driver
   * are no answer, such as that of a broken connection, use `resolver.reject` instead.
   */
  start(resolver: Resolver<T>): PromiseLike<T> | undefined;
  /**
   * Asks the other side to stop the operation. Resolves when this request can do nothing more,
   * neither to this operation nor to the next one on the resource.
   *
   * Called when the context ends while the operation runs. It is called again and again while the
   * operation runs, after a pause that doubles each time (see `repeatAfter`), because most servers
   * forget a request that overtook its operation. Calls do not overlap.
   *
   * `signal` aborts when the operation has settled, and when the stop timeout has passed. A request
   * that was not sent by then need not be sent.
   *
   * If the request could not be sent, for example because the server refused the connection, resolve
   * with "unsent": `stop` is called again. If `stop` throws or rejects, the effect of the request is unknown, so
   * the resource is destroyed.
   */
  stop(signal: AbortSignal): PromiseLike<StopProof>;
  /**
   * Milliseconds between the first stop and the second, 50 by default. Each later pause is twice as
   * long. It is read when the first stop that was sent has ended. If stops are "unproven", choose more for an
   * operation that was sent long ago: its stop cannot have overtaken it, and a second request takes
   * the proof away.
   */
  readonly repeatAfter?: number | undefined;
  /**
   * Destroys the resource, so that the operation and its stop can affect no other operation
   * afterwards. Called at most once, if `stop` has failed or the stop timeout has passed. `reason` is
   * the error of `stop`, or a context error if the stop timeout has passed. Must not throw.
   */
  destroy(reason: unknown): void;
  /**
   * Returns whether this error means that the other side stopped the operation, such as
   * PostgreSQL's 57014. Called at most once, if the operation has failed and its context is done.
   * If this method returns true, the caller gets `ctx.err()` instead of the error. "unproven" does
   * the same, and says that this error can have another cause than the stop, such as a time limit of
   * the other side. Must not throw.
   */
  isStop(error: unknown): boolean | "unproven";
  /**
   * Confirms that the answer of the operation proves its stop. Resolves with false if a stop can still
   * arrive. Returns `undefined` if there is nothing to confirm, as without this method.
   *
   * Called at most once, if exactly one stop was sent, it was "unproven", and `isStop` has returned true.
   * Nothing else runs on the resource meanwhile. If it throws, rejects, or takes longer than what is
   * left of the stop timeout, the resource is destroyed.
   */
  confirmStop?(): PromiseLike<boolean> | undefined;
  /**
   * Gives the resource back, unless `destroy` was called. Called once if `start` was called, also
   * after `destroy`, when neither the operation nor its stop can affect any other operation. Must
   * not throw.
   */
  release?(end: OperationEnd): void;
}

/** Takes the outcome of an operation. Only the first call counts. */
export interface Resolver<T> {
  /** The operation has succeeded. */
  resolve(value: T): void;
  /**
   * The operation has failed. Pass `answered: false` if the error is no answer of the other side:
   * the connection broke, and the operation may still run there. The receipt then says "abandoned".
   */
  reject(error: unknown, options?: { readonly answered?: boolean }): void;
}

/**
 * What a stop request that has ended proves.
 *
 * - "proven": the other side has confirmed that the request was consumed or dropped. An example is
 *   the server's answer to a KILL QUERY.
 * - "unproven": the request can do nothing more if the other side is the server itself. A proxy in
 *   between may still hold it. An example is PostgreSQL's cancel request, which nothing answers.
 * - "unsent": nothing was sent, so there is nothing to prove.
 */
export type StopProof = "proven" | "unproven" | "unsent";

/** How an operation has ended, for its resource. */
export interface OperationEnd {
  /**
   * "abandoned" if the operation may still run on the other side: the resource was destroyed while
   * the operation ran, or the operation failed without an answer. Otherwise "stopped". It does not
   * say whether the resource still exists.
   */
  readonly state: "stopped" | "abandoned";
  /**
   * Whether no stop request of this operation can arrive any more, whatever lies in between. True if
   * no stop was sent, if every one was "proven", or if exactly one was sent, `isStop` returned
   * true for the error that answered the operation, and `confirmStop` did not deny it. Never true
   * after `destroy`.
   */
  readonly proven: boolean;
}
