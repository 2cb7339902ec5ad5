/**
 * Which headers of a handler go when this package answers in its place. Runs on every platform.
 *
 * All others stay: a browser needs those of CORS to show the status to its page, and cookies, `vary`
 * and security headers are true of every answer.
 */

/** Each header that goes, and why. */
const REPLACED: Readonly<Record<string, string>> = {
  // How the handler's body is framed. Two framings in one answer split the connection's responses.
  "content-length": "the answer has another length",
  "transfer-encoding": "the answer has a Content-Length",
  trailer: "Node throws if an answer with a Content-Length announces trailers",

  // What the handler's body is.
  "content-type": "the answer has another type",
  "content-encoding": "the answer is not encoded yet",
  "content-language": "it is the language of the other body",
  "content-location": "it is the URL of the other body",
  "content-range": "the answer is no part of a file",
  "content-disposition": "a browser would save the answer as a file",
  "content-md5": "it is a digest of the other body",
  "content-digest": "it is a digest of the other body",
  "repr-digest": "it is a digest of the other body",
  digest: "it is a digest of the other body",
  "accept-ranges": "the answer has no ranges",
  etag: "a later If-None-Match would match the answer",
  "last-modified": "a later If-Modified-Since would match the answer",

  // How long caches may keep it. `*-cache-control` goes, too: see PATTERNS.
  "cache-control": "a cache would serve the error to others",
  expires: "a cache would serve the error to others",
  pragma: "it belongs to Cache-Control",
  age: "the answer is new",
  "surrogate-control": "it is Cache-Control for a CDN",
  "surrogate-key": "a purge of the other body would look for the error",
  "cache-tag": "it is a Surrogate-Key of Cloudflare and Google",
  "edge-cache-tag": "it is a Surrogate-Key of Akamai",
  xkey: "it is a Surrogate-Key of Varnish",

  // Where another body is. `x-accel-*` goes, too.
  location: "the answer is no redirect",
  refresh: "a browser would leave the error",
  "x-sendfile": "the proxy in front would send a file as the body",
  "x-lighttpd-send-file": "the proxy in front would send a file as the body",
};

const PATTERNS: readonly RegExp[] = [
  /-cache-control$/, // of every CDN: CDN-Cache-Control, Cloudflare-CDN-Cache-Control, …
  /^x-accel-/, // X-Accel-Redirect, X-Accel-Expires and others that nginx acts on
];

/** Returns those of `names` that go. */
export function replacedHeaders(names: Iterable<string>): string[] {
  return [...names].filter((name) => {
    const lower = name.toLowerCase();
    return Object.hasOwn(REPLACED, lower) || PATTERNS.some((pattern) => pattern.test(lower));
  });
}

/** The headers of every answer of this package. No cache may keep an error and serve it to others. */
export const ANSWER_HEADERS = { "cache-control": "no-store" } as const;

/** The parts of a response of Node that are used. */
interface HeadersOfNode {
  getHeaderNames?(): string[];
  removeHeader(name: string): void;
  setHeader(name: string, value: string): unknown;
}

/** Removes the headers of the body that is replaced, and sets those of every answer. */
export function replaceHeaders(res: HeadersOfNode): void {
  removeHeaders(res, replacedHeaders(res.getHeaderNames?.() ?? []));
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) res.setHeader(name, value);
}

/**
 * Removes the headers that say how the handler's body is framed. A handler may set them while its
 * framework is on its way to an answer.
 */
export function removeFraming(res: HeadersOfNode): void {
  const names = res.getHeaderNames?.() ?? [];
  removeHeaders(
    res,
    ["trailer", "transfer-encoding"].filter((name) => names.includes(name)),
  );
}

/**
 * Removes headers that are set. If Transfer-Encoding was removed, Node sends a body of unknown length,
 * such as a compressed one, without any framing. It ends that body by closing the connection, for
 * which it has promised keep-alive. So Node must forget the removal.
 */
function removeHeaders(res: HeadersOfNode & { _removedTE?: boolean }, names: string[]): void {
  for (const name of names) res.removeHeader(name);
  if (res._removedTE === true) res._removedTE = false;
}

/** Does the same as `replaceHeaders` to the headers of fetch. */
export function replaceFetchHeaders(headers: Headers): void {
  for (const name of replacedHeaders([...headers.keys()])) headers.delete(name);
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) headers.set(name, value);
}
