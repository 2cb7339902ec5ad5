/**
 * Reports an error of a callback as an unhandled rejection, so that the error reaches neither the
 * code that canceled nor the other callbacks.
 */
export function reportUnhandled(error: unknown): void {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it is
  void Promise.reject(error);
}
