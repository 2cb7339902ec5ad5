/**
 * `Connection: close` belongs in the last response of a connection: Node closes the connection behind
 * the first response that says so, and drops the responses that wait behind it. A client may still
 * send a request, so the last response is known only when its headers are sent.
 */

/** The parts of an `http.ServerResponse` that are used. */
interface OpenResponse {
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  on(event: "socket", listener: () => void): unknown;
  /** Undocumented in Node: whether the response will say `Connection: keep-alive`. */
  shouldKeepAlive: boolean;
  /** Undocumented in Node: whether the headers say `Connection: close`, so that Node closes. */
  _last: boolean;
  /** Undocumented in Node: what was written while the response waited for its turn. */
  outputData: { data: unknown }[];
}

/** The response that is the last one of its HTTP/1 connection, as long as no request follows. */
export class LastResponse {
  readonly response: object;
  #isLast = true;
  #hasAnnounced = false;

  /**
   * `isWaiting` is whether an earlier response on the connection is open. Headers of a response that
   * waits may be created long before its turn, so they do not say `Connection: close` before then.
   */
  constructor(response: object, isWaiting: boolean) {
    this.response = response;
    if (isWaiting) this.#response.on?.("socket", () => this.#announce());
    else this.#announce();
  }

  get #response(): Partial<OpenResponse> {
    return this.response;
  }

  /**
   * Takes the announcement back, because another request has arrived on the connection. Returns false
   * if that is too late: no response to that request can be sent.
   */
  replace(): boolean {
    const response = this.#response;
    if (response._last === true) return false;
    this.#isLast = false;
    if (!this.#hasAnnounced || response.headersSent !== false) return true;
    if (response.shouldKeepAlive !== undefined) response.shouldKeepAlive = true;
    else response.removeHeader?.("connection");
    return true;
  }

  /**
   * Prefers `shouldKeepAlive` to a header, because Koa removes all headers before it responds to an
   * error.
   */
  #announce(): void {
    const response = this.#response;
    if (!this.#isLast || response.shouldKeepAlive === false) return;
    if (response.headersSent === true) announceInBuffer(response);
    else if (response.headersSent === false) {
      this.#hasAnnounced = true;
      if (response.shouldKeepAlive !== undefined) response.shouldKeepAlive = false;
      else response.setHeader?.("connection", "close");
    }
  }
}

/**
 * Changes headers that Node has created and not sent. If Node has sent them, or if they are not what
 * Node writes by itself, the connection is closed without an announcement.
 */
function announceInBuffer(response: Partial<OpenResponse>): void {
  const first = response.outputData?.[0];
  if (typeof first?.data !== "string" || !first.data.startsWith("HTTP/1.1 ")) return;
  const end = first.data.indexOf("\r\n\r\n");
  if (end < 0) return;
  const head = first.data.slice(0, end);
  const last = head.replace(/\r\nConnection: keep-alive(\r\nKeep-Alive: [^\r]*)?/, CLOSE);
  if (last === head) return;
  first.data = last + first.data.slice(end);
  response._last = true;
}

const CLOSE = "\r\nConnection: close";
