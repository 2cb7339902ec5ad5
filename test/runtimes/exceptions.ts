/** The tests that a runtime does not pass, with the reason. docs/runtimes.md lists the same. */

export type Runtime = "node" | "bun" | "deno";

export const runtime: Runtime =
  "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";

/** The full name of a test, or a text that the names of several contain. */
type Exception = readonly [tests: string, why: string];

const chaos: Exception = [
  "clients that disconnect at random",
  "some responses do not come; the cause is unknown",
];
const noResources = "async_hooks reports no resources";
const testKit: readonly Exception[] = [
  ["testContext(t) on node:test", "it runs the runner of Node"],
  ["expectNothingLeft finds, on Node,", noResources],
  ["expectNothingLeftAfter(t)", noResources],
];
const noUndici = "its fetch is not undici's, and there is no dispatcher";

export const exceptions: Readonly<Record<Runtime, readonly Exception[]>> = {
  node: abortsWhenRead() ? [chaos] : [],
  bun: [
    chaos,
    ...testKit,
    ["a dispatcher composed with contextInterceptor", noUndici],
    [
      "leads to an untrusted host without those headers and without credentials",
      "response.url keeps the fragment",
    ],
    [
      "although the request's context was created earlier without the limit",
      "no channel tells of requests",
    ],
    ["ends a handler whose context was created earlier without it", "no channel tells of requests"],
    ["a malformed header is refused with 400 if `strict` is set", "no channel tells of requests"],
    ["`requestContext`, called late", "no channel tells of requests"],
    ["gets its 503 in turn if the request was pipelined", "one request at a time"],
    ["that fails after a part of its response has its stream reset", "the reset carries NO_ERROR"],
    ["and resets streams", "the reset carries NO_ERROR"],
    ["and ones without a TLS handshake", "a connection is announced with its first request"],
    ["for an incomplete request", "a connection is announced with its first request"],
    ["an upgrade request on a server without upgrade listener", "it is left open"],
    ["(Expect: 100-continue)", "the event checkContinue does not come"],
  ],
  deno: [
    chaos,
    ...testKit,
    [
      "lets a stream that watches `draining` end by itself",
      "TLS may be closed before the response",
    ],
    ["a dispatcher composed with contextInterceptor", noUndici],
    [
      "with an unfinished body, with a handler that reads the body",
      "the body fails before the end is told",
    ],
    ["late cancellations affect no other request", "too few of its cancels are late, now and then"],
  ],
};

/** Whether this version of Node aborts `req.signal` when a body has been read. */
function abortsWhenRead(): boolean {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return (major === 24 && minor > 15 && minor < 20) || (major === 26 && minor > 0 && minor < 7);
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Returns the tests that vitest runs here: all except the exceptions, or only the exceptions. */
export function pattern(which: "exceptions" | "others"): RegExp | undefined {
  const names = exceptions[runtime].map(([tests]) => literal(tests)).join("|");
  if (which === "exceptions") return names === "" ? /^$/ : new RegExp(names);
  return names === "" ? undefined : new RegExp(`^(?!.*(?:${names}))`);
}
