/** A response whose body ends with its exchange. */
import type { Context } from "../index.ts";
import type { Exchange } from "./exchange.ts";

/** Status codes with which a response cannot be constructed with a body. */
const NULL_BODY = [101, 204, 205, 304];

/**
 * Returns a response like that of the platform, with a body that also ends with `ctx`. If the response
 * has no body, returns the response itself. `isRedirected` says that this package, not the platform,
 * has followed redirects.
 */
export function wrapResponse(
  ctx: Context,
  exchange: Exchange,
  response: Response,
  isRedirected: boolean,
): Response {
  const { status, statusText, headers, url, type } = response;
  const body = response.body as typeof response.body | undefined; // a test double may have none
  if (!body || NULL_BODY.includes(status) || headers.get("content-length") === "0") {
    exchange.end();
    return isRedirected ? withProperties(response, { redirected: true }) : response;
  }
  const source = new ExchangeBody(exchange, body.getReader());
  // A body that is unread and unreachable must not stay on a long-lived context. The context does not
  // refer to the source as long as no read is waiting.
  unreachable?.register(source, exchange);
  exchange.watchBody(ctx);
  // The class of the platform's response, because `options.fetch` may be that of undici.
  const Class = response.constructor as typeof Response;
  // Some servers answer with 999. No response can be constructed with that.
  const isValid = status >= 200 && status <= 599;
  const wrapped = new Class(streamOf(source), {
    ...(isValid && { status }),
    statusText,
    headers,
  });
  return withProperties(wrapped, {
    url,
    type,
    redirected: isRedirected || response.redirected,
    ...(!isValid && { status, ok: false }),
  });
}

type Properties = Partial<Pick<Response, "url" | "type" | "redirected" | "status" | "ok">>;

/** Sets properties that the constructor of a response does not take, also on clones. */
function withProperties(response: Response, properties: Properties): Response {
  const clone = response.clone.bind(response);
  const all = { ...properties, clone: () => withProperties(clone(), properties) };
  for (const [name, value] of Object.entries(all)) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}

/** Abandons the exchanges of unreachable bodies. Workers with an old compatibility date have none. */
const unreachable =
  typeof FinalizationRegistry === "undefined"
    ? undefined
    : new FinalizationRegistry<Exchange>((exchange) => exchange.abandon());

/** Reads the platform's body on demand, never ahead. */
class ExchangeBody {
  readonly #exchange: Exchange;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(exchange: Exchange, reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#exchange = exchange;
    this.#reader = reader;
  }

  /** Resolves with the next bytes, or with `undefined` at the end. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      for (;;) {
        this.#throwIfStopped();
        const { done, value } = await this.#reader.read();
        // Some platforms close a body that they cut off. That must not look like its end.
        this.#throwIfStopped();
        if (done || value.byteLength > 0) {
          if (done) this.#exchange.end();
          return value;
        }
      }
    } catch (error) {
      this.#exchange.end();
      this.#throwIfStopped(); // replaces the platform's error for a stop
      throw error;
    }
  }

  #throwIfStopped(): void {
    const { stopped } = this.#exchange;
    if (stopped !== undefined) throw stopped.reason;
  }

  async cancel(reason: unknown): Promise<void> {
    try {
      await this.#reader.cancel(reason);
    } finally {
      this.#exchange.end();
    }
  }
}

/** The common part of the controllers of both kinds of streams. */
interface Controller {
  close(): void;
  enqueue(bytes: Uint8Array): void;
  byobRequest?: { respond(bytes: number): void } | null;
}

/** Returns a byte stream, as platforms do, so that it can also be read into the caller's buffers. */
function streamOf(source: ExchangeBody): ReadableStream<Uint8Array> {
  const underlying = {
    async pull(controller: Controller): Promise<void> {
      const bytes = await source.read();
      if (bytes === undefined) {
        controller.close();
        controller.byobRequest?.respond(0); // resolves a read that waits with a buffer
      } else {
        // The stream takes the buffer over. A buffer that others share, such as Node's pool, is copied.
        const isWhole = bytes.byteLength === bytes.buffer.byteLength;
        controller.enqueue(isWhole ? bytes : new Uint8Array(bytes));
      }
    },
    cancel: (reason: unknown): Promise<void> => source.cancel(reason),
  };
  const options = hasByteStreams() ? { ...underlying, type: "bytes" as const } : underlying;
  // With 0 nothing is read ahead. Otherwise an unread body would have a read that waits.
  return new ReadableStream(options as object, { highWaterMark: 0 });
}

let byteStreams: boolean | undefined;

/** Whether the platform has byte streams. Only recent versions of Safari have them. */
function hasByteStreams(): boolean {
  if (byteStreams === undefined) {
    try {
      new ReadableStream({ type: "bytes" });
      byteStreams = true;
    } catch {
      byteStreams = false;
    }
  }
  return byteStreams;
}
