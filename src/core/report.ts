/** What a callback throws is reported as an unhandled rejection, away from canceler and neighbours. */
export function reportUnhandled(error: unknown): void {
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on as it is
  void Promise.reject(error);
}
