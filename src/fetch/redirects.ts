/**
 * Follows the redirects of a request that carries headers from its context. A platform that follows
 * a redirect sends all headers except credentials to the host that the response names. So such a
 * request is redirected here, by the rules of the Fetch standard, and each host gets only the headers
 * that it may get. https://fetch.spec.whatwg.org/#http-redirect-fetch
 */
import { isReadOnce } from "./upload.ts";

/** One request of a chain of redirects. */
export interface Hop {
  readonly input: unknown;
  /** Everything but the signal. */
  readonly init: RequestInit;
  readonly url: URL | undefined;
  readonly method: string;
  /** Whether the chain has led from HTTPS to plain HTTP, where others can read the headers. */
  readonly isDowngraded?: boolean;
  /** The caller's own headers. `undefined` if the host gets nothing from the context. */
  readonly headers: Headers | undefined;
}

/** The last response of a chain of redirects. */
export interface FinalResponse {
  readonly response: Response;
  readonly isRedirected: boolean;
}

/** The limit of browsers and undici. */
const MOST_REDIRECTS = 20;

/** Headers that are deleted together with the body. */
const BODY_HEADERS = ["encoding", "language", "location", "type", "length"].map(
  (name) => `content-${name}`,
);
/** Headers that are deleted if the redirect leads to another origin. */
const ORIGIN_HEADERS = ["authorization", "proxy-authorization", "cookie", "host"];

/** Sends requests until a response is no redirect. `sendOnce` sends one and follows no redirect. */
export async function followRedirects(
  first: Hop,
  sendOnce: (hop: Hop) => Promise<Response>,
): Promise<FinalResponse> {
  let hop = first;
  for (let count = 0; ; count++) {
    const response = await sendOnce(hop);
    if (response.type === "opaqueredirect") {
      throw cannotFollow("a browser does not say where it leads", hop);
    }
    const location = locationOf(response, hop.url);
    if (location === undefined) return { response, isRedirected: count > 0 };
    response.body?.cancel().catch(() => undefined);
    if (count === MOST_REDIRECTS) throw fetchFailed("redirect count exceeded");
    hop = nextHop(hop, response.status, location);
  }
}

function locationOf(response: Response, from: URL | undefined): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  let text = response.headers.get("location");
  if (text === null) return undefined;
  if (/[^\x21-\x7e]/.test(text)) {
    // Servers write UTF-8, but the platform reads a header byte by byte.
    text = new TextDecoder().decode(Uint8Array.from(text, (byte) => byte.charCodeAt(0)));
  }
  if (!URL.canParse(text, from?.href)) throw fetchFailed(`invalid redirect to ${text}`);
  const url = new URL(text, from?.href);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw fetchFailed("redirect to a URL that is not HTTP");
  }
  if (url.hash === "" && from !== undefined) url.hash = from.hash;
  return url;
}

function nextHop(hop: Hop, status: number, url: URL): Hop {
  const { init } = hop;
  let { method } = hop;
  // The options of a Request object are not visible from outside: its body, or a dispatcher that
  // restricts where it may go.
  if (typeof hop.input === "object" && !(hop.input instanceof URL)) {
    throw cannotFollow("a Request object cannot be sent to another URL", hop);
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
    for (const name of BODY_HEADERS) headers.delete(name);
  } else if (isReadOnce(body)) {
    throw fetchFailed("a body that is a stream cannot be sent twice");
  }
  if (url.origin !== hop.url?.origin) for (const name of ORIGIN_HEADERS) headers.delete(name);
  const { body: _, ...rest } = init;
  return {
    input: url.href,
    init: { ...rest, ...(becomesGet && { method }), ...(body !== undefined && { body }) },
    url,
    method,
    isDowngraded: url.protocol === "http:" && wasSecure(hop),
    headers,
  };
}

/** Returns whether this request, or one before it in its chain, was sent over HTTPS. */
function wasSecure({ url, isDowngraded }: Hop): boolean {
  return isDowngraded === true || url?.protocol === "https:";
}

/** Returns an error like that of the platform. */
function fetchFailed(message: string): TypeError {
  return new TypeError("fetch failed", { cause: new Error(message) });
}

function cannotFollow(why: string, hop: Hop): TypeError {
  return new TypeError(
    `fetch does not follow a redirect of a request that carries a deadline or values, because ${why}; pass a URL and init, pass redirect: "manual", or do not trust the host`,
    { cause: new Error(`the redirect came from ${String(hop.url?.host)}`) },
  );
}
