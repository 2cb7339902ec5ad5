/**
 * Reports what a callback throws as an unhandled rejection, so that it reaches neither the code
 * that canceled nor the other callbacks.
 */
export function reportUnhandled(error: unknown): void {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it is
  void Promise.reject(error);
}
