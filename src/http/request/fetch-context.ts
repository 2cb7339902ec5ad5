/**
 * The context of a request that arrives as a `Request`, and whose response is a `Response`. Runs on
 * every platform.
 *
 * There is no connection to look at. If `request.signal` aborts before the response is complete, or
 * if the platform cancels the response's body, the client has disconnected. An abort after that
 * means nothing, because Deno aborts the signal of every request. The response is complete when the
 * platform has taken its whole body. The platform may then still be sending it.
 */
import {
  afterFunc,
  background,
  withCancel,
  withLedger,
  type CancelableContext,
  type Context,
} from "../../index.ts";
import { finishRequest } from "../../internal.ts";
import { ClientDisconnected, RequestFinished } from "./causes.ts";
import { rememberOrigin } from "../respond/foreign-end.ts";
import { afterShields } from "../respond/shields.ts";
import { requestEndedError, type RequestEndedError } from "../respond/request-ended-error.ts";
import { statusOf } from "../respond/status.ts";
import type { DisconnectOption } from "./disconnect-option.ts";
import { withLimits, type RequestLimits } from "./limits.ts";

export interface HandlerOptions<Req = FetchRequest> extends RequestLimits<Req>, DisconnectOption {
  /**
   * A context that ends the request's context too, and gives it its values. Default:
   * `background()`. Behind `serve`, pass `serving.requests`: a `Request` does not say to which
   * connection it belongs.
   */
  parent?: Context;
}

/** The parts of a `Request` that are used. */
export interface FetchRequest {
  readonly signal?: AbortSignal;
  readonly headers?: { get(name: string): string | null };
}

// One instance of each serves all requests: they have no stack and hold no data of a request.
const clientDisconnected = new ClientDisconnected();
const requestFinished = new RequestFinished();

/** The context of one request, and the right to end it. */
export class FetchContext {
  readonly ctx: Context;
  readonly #scope: CancelableContext;
  #hasResponse = false;

  constructor(request: FetchRequest, options: HandlerOptions<never>) {
    const { parent = background() } = options;
    const { signal } = request;
    const scope = withLimits(parent, request, options) ?? withCancel(parent);
    this.#scope = scope;
    this.ctx = withLedger(scope);
    rememberOrigin(request, this.ctx);
    if (signal?.aborted) this.#disconnect();
    else signal?.addEventListener("abort", this.#disconnect);
    afterFunc(scope, () => signal?.removeEventListener("abort", this.#disconnect));
  }

  /**
   * Returns a new promise. It resolves if the context ends before there is a response, one turn of the
   * event loop later, so that a handler that stops at once can respond by itself. While a shield of
   * the request runs, it may wait (see shields.ts).
   */
  get ended(): Promise<RequestEndedError> {
    return this.endOf(this.ctx);
  }

  /** Works like `ended`, for the end of another context of the request. */
  endOf(ctx: Context): Promise<RequestEndedError> {
    return new Promise((resolve) => {
      const forget = afterFunc(ctx, () => {
        if (this.#hasResponse) return;
        const answer = (): void => resolve(requestEndedError(ctx));
        setTimeout(() => afterShields(ctx, nextTurn, answer));
      });
      // No client gets an answer then, and a context that is watched would never be collected.
      if (ctx !== this.ctx) afterFunc(this.ctx, (err) => statusOf(err) === 499 && forget());
    });
  }

  readonly #disconnect = (): void => this.#scope.cancel(clientDisconnected);

  /** Ends the context as finished. */
  finish(): void {
    this.#hasResponse = true;
    finishRequest(this.ctx, () => this.#scope.cancel(requestFinished));
  }

  /**
   * Returns the response to hand to the platform. The context ends when the body of that response
   * is complete.
   *
   * If the whole body is available at once, as most bodies are, the new response has it in one
   * piece, so that its length is known. Any other body is read as the platform reads it.
   */
  async follow(response: Response): Promise<Response> {
    this.#hasResponse = true;
    if (response.body === null || response.bodyUsed || response.body.locked) {
      this.finish();
      return response;
    }
    const reader = (response.body as ReadableStream<Bytes>).getReader();
    const chunks: Promise<Chunk>[] = [reader.read()];
    const whole = chunks[0]?.then((first) => {
      if (first.done) return null;
      const second = reader.read();
      chunks.push(second);
      return second.then(({ done }) => (done ? first.value : undefined));
    });
    const body = await withinOneTurn(whole);
    // The response may be of another class (GraphQL Yoga's, for example), and @hono/node-server
    // reads headers only from the platform's own class.
    const { status, statusText } = response;
    const init = { status, statusText, headers: new Headers(response.headers) };
    if (body === undefined) return new Response(this.#streamOf(reader, chunks), init);
    this.finish();
    return new Response(body, init);
  }

  #streamOf(
    reader: ReadableStreamDefaultReader<Bytes>,
    chunks: Promise<Chunk>[],
  ): ReadableStream<Bytes> {
    return new ReadableStream<Bytes>(
      {
        pull: async (out) => {
          try {
            const { done, value } = await (chunks.shift() ?? reader.read());
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
          this.#disconnect();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

type Bytes = Uint8Array<ArrayBuffer>;
type Chunk = Awaited<ReturnType<ReadableStreamDefaultReader<Bytes>["read"]>>;

/**
 * Resolves as `promise` does, or with `undefined` if that takes longer than a turn of the event
 * loop.
 */
async function withinOneTurn<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined));
  });
  // The reader of the body gets an error of the body.
  const read = promise?.catch(() => undefined);
  const first = await Promise.race([read, late]);
  clearTimeout(timer);
  return first;
}
