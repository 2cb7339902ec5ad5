/** The parts of Node's requests and responses that this package uses. */

/** The parts of a `net.Socket` that are used. */
export interface SocketLike {
  readonly destroyed: boolean;
  readonly errored?: Error | null;
  readonly readableEnded?: boolean;
  readonly writableEnded?: boolean;
  on(event: "close", listener: () => void): unknown;
  prependListener(event: "end" | "error" | "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

/** The parts of an `http2.ServerHttp2Stream` that are used. */
export interface StreamLike {
  readonly aborted: boolean;
  readonly destroyed: boolean;
  readonly writableFinished: boolean;
  readonly session?: object | null | undefined;
  prependListener(event: "aborted" | "close", listener: () => void): unknown;
}

/** The parts of an `http.IncomingMessage` or an `http2.Http2ServerRequest` that are used. */
export interface RequestLike {
  readonly socket: SocketLike;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  /** HTTP/2 only. */
  readonly stream?: StreamLike;
}

/** The parts of an `http.ServerResponse` that `requestContext` uses. HTTP/2 needs none of them. */
export interface ResponseLike {
  readonly destroyed: boolean;
  readonly writableFinished: boolean;
  /** `null` while the response waits behind another one on its connection, and again at the end. */
  readonly socket: object | null;
  on(event: "close" | "socket", listener: () => void): unknown;
}

/** The parts of an `http.ServerResponse` that `handler` and `middleware` use. */
export interface WritableResponseLike extends ResponseLike {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  statusCode: number;
  statusMessage: string;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): void;
  end(body: string): unknown;
  destroy(): unknown;
  /** HTTP/2 only. */
  readonly stream?: { readonly destroyed: boolean; close(code: number): unknown } | null;
  on(event: "close" | "error" | "socket", listener: () => void): unknown;
}
