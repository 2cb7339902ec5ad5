/**
 * A context for a request that comes as a `Request` and goes as a `Response`. Runs on every platform.
 *
 * What can be known: that `request.signal` aborts before the response is complete, or that the
 * platform cancels its body, means that the client has gone; an abort after that (Deno has one for
 * every request) means nothing. The response is complete when its body has been taken by the
 * platform, which may still be sending it.
 */
import {
  afterFunc,
  background,
  withCancel,
  withLedger,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { ClientDisconnected, RequestFinished } from "./causes.ts";
import { requestEndedError, type RequestEndedError } from "../respond/request-ended-error.ts";
import { withLimits, type RequestLimits } from "./limits.ts";

export interface FetchOptions<Req = FetchRequest> extends RequestLimits<Req> {
  /**
   * What else ends it, and where its values come from. Default: `background()`. Behind `serve`
   * that is `serving.requests`: a `Request` does not say which connection it came by.
   */
  parent?: Context;
}

/** The parts of a `Request` that are used. */
export interface FetchRequest {
  readonly signal?: AbortSignal;
  readonly headers?: { get(name: string): string | null };
}

// One of each will do: they have no stack and say nothing of a single request.
const clientDisconnected = new ClientDisconnected();
const requestFinished = new RequestFinished();

export class FetchTracked {
  readonly ctx: Context;
  /** Resolves one turn of the event loop after the end, so that a handler that stops can answer. */
  readonly ended: Promise<RequestEndedError>;
  readonly #scope: CancelableContext;
  #isAnswered = false;

  constructor(request: FetchRequest, options: FetchOptions<never>) {
    const { parent = background() } = options;
    const { signal } = request;
    const scope = withLimits(parent, request, options) ?? withCancel(parent);
    this.#scope = scope;
    this.ctx = withLedger(scope);
    if (signal?.aborted) this.gone();
    else signal?.addEventListener("abort", this.gone);
    this.ended = new Promise((resolve) => {
      afterFunc(scope, () => {
        signal?.removeEventListener("abort", this.gone);
        if (!this.#isAnswered) setTimeout(() => resolve(requestEndedError(this.ctx)));
      });
    });
  }

  readonly gone = (): void => this.#scope.cancel(clientDisconnected);

  finish(): void {
    this.#isAnswered = true;
    this.#scope.cancel(requestFinished);
  }

  /**
   * The response to hand to the platform: the context lasts until its body is complete. A body
   * that is there at once, most are, stays one whole, so that its length is known; any other is
   * read as the platform reads it.
   */
  async deliver(response: Response): Promise<Response> {
    this.#isAnswered = true;
    if (response.body === null || response.bodyUsed || response.body.locked) {
      this.finish();
      return response;
    }
    const reader = (response.body as ReadableStream<Bytes>).getReader();
    const parts: Promise<Part>[] = [reader.read()];
    const whole = parts[0]?.then((first) => {
      if (first.done) return null;
      const second = reader.read();
      parts.push(second);
      return second.then(({ done }) => (done ? first.value : undefined));
    });
    const read = await soon(whole);
    // It may be of a class of its own (GraphQL Yoga's), and @hono/node-server knows no other headers.
    const { status, statusText } = response;
    const init = { status, statusText, headers: new Headers(response.headers) };
    if (read === undefined) return new Response(this.#follow(reader, parts), init);
    this.finish();
    return new Response(read, init);
  }

  #follow(
    reader: ReadableStreamDefaultReader<Bytes>,
    begun: Promise<Part>[],
  ): ReadableStream<Bytes> {
    return new ReadableStream<Bytes>(
      {
        pull: async (out) => {
          try {
            const { done, value } = await (begun.shift() ?? reader.read());
            if (!done) out.enqueue(value);
            else {
              this.finish();
              out.close();
            }
          } catch (error) {
            this.#scope.cancel(error);
            out.error(error);
          }
        },
        cancel: (reason) => {
          this.gone();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

type Bytes = Uint8Array<ArrayBuffer>;
type Part = Awaited<ReturnType<ReadableStreamDefaultReader<Bytes>["read"]>>;

/** What `promise` resolves to if it does within a turn of the event loop, else `undefined`. */
async function soon<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined));
  });
  // An error of the body is for who reads it.
  const read = promise?.catch(() => undefined);
  const first = await Promise.race([read, late]);
  clearTimeout(timer);
  return first;
}
