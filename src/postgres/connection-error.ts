/** Distinguishes failures of a connection from other failures. */
import { isContextError } from "../index.ts";

/**
 * Whether `error` may come from the connection or its socket. It does not if it comes from the
 * server, from the caller's values or from a context.
 */
export function isConnectionError(error: unknown): boolean {
  const { severity, errno, code } = Object(error) as Record<string, unknown>;
  const isAboutValues = error instanceof TypeError || error instanceof RangeError;
  return (
    !isAboutValues &&
    !isContextError(error) &&
    severity === undefined &&
    (errno !== undefined || /^ERR_/.test(String(code)))
  );
}
