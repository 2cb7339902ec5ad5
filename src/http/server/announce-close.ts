/** The parts of an `http.ServerResponse` that are used. */
interface OpenResponse {
  readonly headersSent: boolean;
  /** Undocumented in Node: whether the response will say `Connection: keep-alive`. */
  shouldKeepAlive: boolean;
  setHeader(name: string, value: string): unknown;
}

/**
 * Makes an HTTP/1 response say `Connection: close`, if its headers have not been sent. Does nothing
 * to an HTTP/2 stream, whose session sends GOAWAY, or to an upgraded request.
 *
 * Prefers `shouldKeepAlive` to a header, because Koa removes all headers before it responds to an
 * error.
 */
export function announceClose(request: object): void {
  const response: Partial<OpenResponse> = request;
  if (response.headersSent !== false) return;
  if (response.shouldKeepAlive !== undefined) response.shouldKeepAlive = false;
  else response.setHeader?.("connection", "close");
}
