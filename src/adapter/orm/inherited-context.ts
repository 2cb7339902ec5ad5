/** Which context a statement belongs to, if an ORM uses a connection from anywhere. */
import type { Context } from "../../index.ts";
import { currentFrame, isWithin, type Frame } from "../../current/current-context.ts";

/** Returns the context of a statement that is created now, if there is one. */
export type ContextOf = () => Context | undefined;

/**
 * Returns the function that finds the context of each statement on a connection that was leased in
 * the frame `leasedIn`.
 *
 * The context is that of `leasedIn`, or that of a `runWithContext` inside it. Other frames do not
 * count, because a pool serves its waiters inside the call that releases a connection, and so inside
 * the context of another request. A connection that was leased without a current context uses the
 * one that is current when the statement is created.
 */
export function contextOf(leasedIn: Frame | undefined): ContextOf {
  return () => {
    const frame = currentFrame();
    if (leasedIn === undefined) return frame?.ctx;
    return frame !== undefined && isWithin(frame, leasedIn) ? frame.ctx : leasedIn.ctx;
  };
}
