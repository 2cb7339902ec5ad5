/**
 * Request bodies that are produced while they are sent. After an abort, Node 20 to 24 go on reading
 * such a body and never cancel it. So the exchange cancels it.
 */
import type { Exchange } from "./exchange.ts";

type Source = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Whether a body can be read only once. */
export function isReadOnce(body: unknown): body is ReadableStream | AsyncIterable<Uint8Array> {
  if (typeof body !== "object" || body === null) return false;
  return "getReader" in body || Symbol.asyncIterator in body;
}

/** Returns a body to send in place of `body`. When the exchange is stopped, it fails and cancels `body`. */
export function stoppableBody(exchange: Exchange, body: unknown): unknown {
  if (!isReadOnce(body)) return body;
  const source = "getReader" in body ? (body.getReader() as Source) : sourceOf(body);
  return new ReadableStream(
    {
      start(controller) {
        exchange.onStop((reason) => {
          controller.error(reason);
          // A source that fails to cancel cannot report that anywhere.
          source.cancel(reason).catch(() => undefined);
        });
      },
      async pull(controller) {
        const { done, value } = await source.read();
        if (exchange.stopped !== undefined) return;
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => source.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function sourceOf(body: AsyncIterable<Uint8Array>): Source {
  const iterator = body[Symbol.asyncIterator]();
  return {
    read: () => iterator.next() as ReturnType<Source["read"]>,
    cancel: async () => {
      await iterator.return?.();
    },
  };
}
