/**
 * In development mode: a request that gets no response. Its handler has returned without one in some
 * branch, or waits for something that never comes. Express and node:http do not notice either.
 *
 * Nothing says what a handler waits for. So a request is reported only if it has no deadline, which
 * would respond by itself, and if for `QUIET` milliseconds no recorded work has run for it, no function
 * of `shield` or `detach` has, and its body has not grown. If the handler is known to have settled, a
 * deadline does not count.
 */
import { channel as diagnosticsChannel } from "node:diagnostics_channel";
import { remaining, type Context } from "../../index.ts";
import { callAt, ledgerOf, now, warnOnce } from "../../internal.ts";
import { hasResponded } from "../respond/done-response.ts";
import type { RequestLike, WritableResponseLike } from "../types.ts";
import { requestName } from "./request-name.ts";

/** How long nothing must have run, in milliseconds. */
const QUIET = 30_000;

/** How often the request is looked at in that time. */
const CHECKS = 10;

const channel = diagnosticsChannel("eightysix:http.no-response");

/** Looks at one request until it has a response. */
export class ResponseWatch {
  readonly #req: RequestLike;
  readonly #res: WritableResponseLike;
  /** The contexts of the handlers, one for each `contexts()`. */
  readonly #contexts: Context[] = [];
  readonly #since = now();
  #clear: (() => void) | undefined;
  #hasSettled = false;
  #quietChecks = 0;
  #bytes: unknown;

  constructor(req: RequestLike, res: WritableResponseLike) {
    this.#req = req;
    this.#res = res;
    this.#wait();
  }

  add(ctx: Context): void {
    this.#contexts.push(ctx);
  }

  /** Records that the handler has settled, so that only code that it has left behind can respond. */
  settled(): void {
    this.#hasSettled = true;
    this.#quietChecks = 0;
  }

  /** Call it at the end of the request, so that the watch keeps nothing of it alive. */
  stop(): void {
    this.#clear?.();
  }

  #wait(): void {
    this.#clear = callAt(now() + QUIET / CHECKS, () => this.#check(), false);
  }

  #check(): void {
    const hasEnded = this.#contexts.some((ctx) => ctx.err() !== undefined);
    if (hasEnded || this.#res.writableEnded || hasResponded(this.#res)) return;
    this.#quietChecks = this.#isQuiet() ? this.#quietChecks + 1 : 0;
    const hasDeadline = this.#contexts.some((ctx) => remaining(ctx) < Infinity);
    if (this.#quietChecks < CHECKS || (hasDeadline && !this.#hasSettled)) this.#wait();
    else this.#report();
  }

  #isQuiet(): boolean {
    const { bytesRead } = this.#req.socket as { bytesRead?: unknown };
    const hasGrown = bytesRead !== this.#bytes;
    this.#bytes = bytesRead;
    if (hasGrown) return false;
    return this.#contexts.every((ctx) => {
      const ledger = ledgerOf(ctx);
      return ledger === undefined || (ledger.running.length === 0 && ledger.outliving.size === 0);
    });
  }

  #report(): void {
    const name = requestName(this.#req);
    const open = Math.round(now() - this.#since);
    channel.publish({ request: this.#req, name, open, hasSettled: this.#hasSettled });
    const why = this.#hasSettled
      ? "its handler has returned, and nothing is recorded as running for it"
      : `nothing has been recorded as running for it for ${QUIET / 1_000} s, and it has no time limit`;
    // Parts of a path with digits are taken for ids, so that a route is reported once.
    const route = name.replace(/\/[^/]*\d[^/]*/g, "/…");
    warnOnce(
      "EIGHTYSIX_NO_RESPONSE",
      `${route} has no response: ${why}; respond in every branch, pass ctx to what the handler awaits, or set a timeout; record what it waits for with startWork if that takes so long`,
      route,
      `${name}, open for ${Math.round(open / 1_000)} s`,
    );
  }
}
