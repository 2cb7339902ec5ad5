/** A response whose body ends with its exchange. */
import type { Context } from "../index.ts";
import type { Exchange } from "./exchange.ts";

/** Those of which the constructor takes no body. */
const NULL_BODY = [101, 204, 205, 304];

/**
 * The platform's response, with a body that ends with `ctx` as well, or the very same one if it has
 * no body. `redirected`: we have followed redirects for the platform.
 */
export function cover(
  ctx: Context,
  exchange: Exchange,
  response: Response,
  redirected: boolean,
): Response {
  const { status, statusText, headers, url, type } = response;
  const body = response.body as typeof response.body | undefined; // a test's double may have none
  if (!body || NULL_BODY.includes(status) || headers.get("content-length") === "0") {
    exchange.end();
    return redirected ? withFacts(response, { redirected }) : response;
  }
  const source = new CoveredBody(exchange, body.getReader());
  // What is unread and unreachable must not stay on a context that lives for long. Nothing that is
  // reachable from there refers to the source, as long as nobody is waiting for it.
  forgotten?.register(source, exchange);
  exchange.watchBody(ctx);
  // Its own class: `options.fetch` may be undici's. Some servers answer 999, which none can be made with.
  const Class = response.constructor as typeof Response;
  const valid = status >= 200 && status <= 599;
  const covered = new Class(streamOf(source), {
    ...(valid && { status }),
    statusText,
    headers,
  });
  return withFacts(covered, {
    url,
    type,
    redirected: redirected || response.redirected,
    ...(!valid && { status, ok: false }),
  });
}

type Facts = Partial<Pick<Response, "url" | "type" | "redirected" | "status" | "ok">>;

/** What cannot be given to the constructor of a response. */
function withFacts(response: Response, facts: Facts): Response {
  const clone = response.clone.bind(response);
  const properties = { ...facts, clone: () => withFacts(clone(), facts) };
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(response, name, { value, configurable: true });
  }
  return response;
}

// Missing in Workers of an older compatibility date.
const forgotten =
  typeof FinalizationRegistry === "undefined"
    ? undefined
    : new FinalizationRegistry<Exchange>((exchange) => exchange.abandon());

/** Reads the platform's body for ours, when asked and never ahead. */
class CoveredBody {
  readonly #exchange: Exchange;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;

  constructor(exchange: Exchange, reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#exchange = exchange;
    this.#reader = reader;
  }

  /** The next bytes, or `undefined` at the end. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      for (;;) {
        this.#throwIfStopped();
        const { done, value } = await this.#reader.read();
        // A stop is a stop, even if it looks like an end: some platforms close what they cut off.
        this.#throwIfStopped();
        if (done || value.byteLength > 0) {
          if (done) this.#exchange.end();
          return value;
        }
      }
    } catch (error) {
      this.#exchange.end();
      this.#throwIfStopped(); // in place of the platform's words for it
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

/** What both kinds of streams give to their source. */
interface Controller {
  close(): void;
  enqueue(bytes: Uint8Array): void;
  byobRequest?: { respond(bytes: number): void } | null;
}

/** As platforms do it, a stream of bytes, which can be read into one's own buffers too. */
function streamOf(source: CoveredBody): ReadableStream<Uint8Array> {
  const underlying = {
    async pull(controller: Controller): Promise<void> {
      const bytes = await source.read();
      if (bytes === undefined) {
        controller.close();
        controller.byobRequest?.respond(0); // releases who waits with a buffer
      } else {
        // The buffer changes hands; one that others share, such as Node's pool, must not.
        const whole = bytes.byteLength === bytes.buffer.byteLength;
        controller.enqueue(whole ? bytes : new Uint8Array(bytes));
      }
    },
    cancel: (reason: unknown): Promise<void> => source.cancel(reason),
  };
  const options = hasByteStreams() ? { ...underlying, type: "bytes" as const } : underlying;
  // 0: nothing is read ahead, or an unread body would have somebody who waits for it.
  return new ReadableStream(options as object, { highWaterMark: 0 });
}

let byteStreams: boolean | undefined;

/** Safari has them only of late. */
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
