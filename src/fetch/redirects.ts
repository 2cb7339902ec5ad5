/**
 * Redirects of a request that carries headers of ours. A platform that follows them takes every
 * header along, except those for credentials, to whatever host the answer names. So these we follow
 * by ourselves, by the rules of the Fetch standard, and each host is told what it may be told.
 */

import { isOneWay } from "./upload.ts";

/** One request to send. `init` has everything but the signal. */
export interface Hop {
  readonly input: unknown;
  readonly init: RequestInit;
  readonly url: URL | undefined;
  readonly method: string;
  /** The caller's headers, without ours; nobody needs them where nothing is told. */
  readonly headers: Headers | undefined;
}

/** What came in the end. */
export interface Sent {
  readonly response: Response;
  readonly redirected: boolean;
}

/** As browsers and undici. */
const MOST = 20;

/** Deleted together with the body, and on the way to another origin. */
const OF_BODY = ["encoding", "language", "location", "type", "length"].map((x) => `content-${x}`);
const OF_ORIGIN = ["authorization", "proxy-authorization", "cookie", "host"];

/** Sends, and follows; `sendOnce` sends one hop, and nobody follows what it gets. */
export async function follow(first: Hop, sendOnce: (hop: Hop) => Promise<Response>): Promise<Sent> {
  let hop = first;
  for (let count = 0; ; count++) {
    const response = await sendOnce(hop);
    if (response.type === "opaqueredirect") {
      throw refusal("a browser does not say where it leads", hop);
    }
    const location = locationOf(response, hop.url);
    if (location === undefined) return { response, redirected: count > 0 };
    response.body?.cancel().catch(() => undefined);
    if (count === MOST) throw failure("redirect count exceeded");
    hop = next(hop, response.status, location);
  }
}

function locationOf(response: Response, from: URL | undefined): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  let text = response.headers.get("location");
  if (text === null) return undefined;
  if (/[^\x21-\x7e]/.test(text)) {
    // Servers write UTF-8; headers are read byte by byte.
    text = new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0)));
  }
  if (!URL.canParse(text, from?.href)) throw failure(`invalid redirect to ${text}`);
  const url = new URL(text, from?.href);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw failure("redirect to a URL that is not HTTP");
  }
  if (url.hash === "" && from !== undefined) url.hash = from.hash;
  return url;
}

function next(hop: Hop, status: number, url: URL): Hop {
  const { init } = hop;
  let { method } = hop;
  // What it was made with cannot be seen from outside: its body, a dispatcher that guards us.
  if (typeof hop.input === "object" && !(hop.input instanceof URL)) {
    throw refusal("a Request object cannot be sent to another URL", hop);
  }
  const headers = new Headers(hop.headers);
  let { body } = init;
  const becomesGet =
    status === 303
      ? method !== "GET" && method !== "HEAD"
      : (status === 301 || status === 302) && method === "POST";
  if (becomesGet) {
    method = "GET";
    body = undefined;
    for (const name of OF_BODY) headers.delete(name);
  } else if (isOneWay(body)) {
    throw failure("a body that is a stream cannot be sent twice");
  }
  if (url.origin !== hop.url?.origin) for (const name of OF_ORIGIN) headers.delete(name);
  const { body: _, ...rest } = init;
  return {
    input: url.href,
    init: { ...rest, ...(becomesGet && { method }), ...(body !== undefined && { body }) },
    url,
    method,
    headers,
  };
}

/** As the platform puts it. */
function failure(message: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(message) });
}

function refusal(why: string, hop: Hop): TypeError {
  return new TypeError(
    `fetch does not follow a redirect of a request that carries a deadline or values, because ${why}; pass a URL and init, redirect: "manual", or do not trust ${String(hop.url?.host)}`,
  );
}
