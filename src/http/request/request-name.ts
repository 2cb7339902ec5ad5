/** How warnings name a request. */

/** Returns the method and the path. The query may hold secrets. */
export function requestName(request: object): string {
  const { method = "", url = "", originalUrl = url } = request as Partial<Record<string, string>>;
  const path = originalUrl.replace(/^[a-z]+:\/\/[^/]*/i, "").replace(/[?#].*/s, "");
  return `${method} ${path}`;
}
