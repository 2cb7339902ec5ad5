/**
 * eightysix/nats: requests over NATS through `@nats-io/transport-node` 3. The deadline of a request
 * travels to its responder, and when its context ends, the responder's work stops.
 *
 * @packageDocumentation
 */
import { handOver, needContext, needFunction, STOP_TIMEOUT } from "../adapter/index.ts";
import { wrongDriver } from "../adapter/wrong-driver.ts";
import { checkDuration, checkFunction, checkOptions, show } from "../internal.ts";
import { Connection } from "./connection.ts";
import { isPlainSubject } from "./protocol.ts";
import { sendRequest } from "./request.ts";
import { AnsweredSubscription } from "./serve.ts";
import type {
  ConnectionLike,
  ContextConnection,
  ContextServeOptions,
  WithContextOptions,
} from "./types.ts";

export { ResponderDrained } from "./serve.ts";
export type {
  ConnectionLike,
  ContextConnection,
  ContextMessageHandler,
  ContextRequestOptions,
  ContextServeOptions,
  ContextSubscription,
  HeadersLike,
  HeadersOf,
  MessageLike,
  MessageOf,
  Payload,
  SubscriptionLike,
  WithContextOptions,
} from "./types.ts";

const GRACE_PERIOD = 7_000;

/**
 * Returns `request` and `serve` for a connection. Call it once for each connection. The result holds
 * no subscription. The caller still owns the connection and closes it.
 *
 * A responder must use `serve`. Any other responder gets the deadline in a header, cannot be
 * canceled, and its requests are abandoned after the stop timeout.
 *
 * Not covered: JetStream, `requestMany`, and headers of replies that a handler returns.
 *
 * Throws a TypeError if `connection` is no connection, and for a wrong option.
 *
 * @example
 * import { connect, headers } from "@nats-io/transport-node";
 *
 * const bus = withContext(await connect({ servers: url }), { headers });
 * const serving = bus.serve(background(), "reports", (ctx, message) => make(ctx, message.string()));
 * const reply = await bus.request(ctx, "reports", "sales");
 */
export function withContext<C extends ConnectionLike>(
  connection: C,
  options: WithContextOptions<C>,
): ContextConnection<C> {
  if (typeof (connection as Partial<ConnectionLike> | null | undefined)?.request !== "function") {
    throw wrongDriver("nats", "a connection of @nats-io/transport-node", connection);
  }
  checkOptions(options, "withContext", ["headers", "stopTimeout", "inboxPrefix"]);
  const { headers, stopTimeout = STOP_TIMEOUT, inboxPrefix = "_INBOX" } = options;
  checkFunction(headers, "headers of withContext", "headers of @nats-io/transport-node");
  checkDuration(stopTimeout, "stopTimeout");
  if (!isPlainSubject(inboxPrefix)) {
    throw new TypeError(`inboxPrefix is a subject without wildcards, got ${show(inboxPrefix)}`);
  }
  const shared = new Connection(connection, headers, stopTimeout, inboxPrefix);
  const methods: Pick<ContextConnection<ConnectionLike>, "request" | "serve"> = {
    request: handOver(async (ctx, subject, payload, options = {}) => {
      needContext(ctx, "request(ctx, subject, payload)");
      checkOptions(options, "request", ["headers", "margin", "minimum"]);
      return await sendRequest(ctx, shared, subject, payload, options);
    }, "request"),
    serve(ctx, subject, handler, options: ContextServeOptions = {}) {
      needContext(ctx, "serve(ctx, subject, handler)");
      needFunction(handler, "serve(ctx, subject, handler)");
      checkOptions(options, "serve", ["queue", "gracePeriod"]);
      const { queue, gracePeriod = GRACE_PERIOD } = options;
      checkDuration(gracePeriod, "gracePeriod");
      return new AnsweredSubscription(ctx, shared, subject, handler, {
        queue,
        gracePeriod,
      });
    },
  };
  return methods as unknown as ContextConnection<C>;
}
