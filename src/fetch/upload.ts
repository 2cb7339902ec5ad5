/**
 * Bodies of requests that are made while they are sent. Node forgets about them: after an abort it
 * goes on to read them, for nobody, and never cancels them (20 to 24). So a stop does both for it.
 */
import type { Exchange } from "./exchange.ts";

type Source = Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;

/** Whether it can be read but once. */
export function isOneWay(body: unknown): body is ReadableStream | AsyncIterable<Uint8Array> {
  if (typeof body !== "object" || body === null) return false;
  return "getReader" in body || Symbol.asyncIterator in body;
}

/** The body to send in place of `body`: canceled, and at its end, when the exchange is stopped. */
export function upload(exchange: Exchange, body: unknown): unknown {
  if (!isOneWay(body)) return body;
  const source = "getReader" in body ? (body.getReader() as Source) : sourceOf(body);
  return new ReadableStream(
    {
      start(controller) {
        exchange.onStop((reason) => {
          controller.error(reason);
          // The source may be waiting for something; its failure is told to nobody.
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
