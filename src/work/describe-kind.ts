/** How warnings of running work name its kind, and what they advise. */

/** The kinds of work that go on until the body of a response has been read. */
const WITH_BODY = new Set(["fetch", "undici.request"]);

/** Returns the kind of work in words, if its name alone does not say what was running. */
export function describeKind(kind: string): string {
  const isWait = kind.endsWith(".wait") && !kind.startsWith("admission.");
  return isWait ? `a call that waited for a connection (${kind})` : kind;
}

/** Returns what to do with work of this kind so that it ends in time, such as "await it". */
export function howToEnd(kind: string): string {
  return WITH_BODY.has(kind) ? "await it, and read or cancel the body of its response" : "await it";
}
