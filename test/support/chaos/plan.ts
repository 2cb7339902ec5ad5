/** What a client does, and what it asks its server to do. A seed determines all of it. */

/** The timeout of every request, in milliseconds. */
export const TIMEOUT = 1_000;

/** How long a client waits for a response or for the end of its connection, in milliseconds. */
export const PATIENCE = 40_000;

/** What a handler does with its request, and how often. */
export const BEHAVIORS = {
  "responds at once": 20,
  "responds later": 20,
  "responds in parts": 15,
  "responds at length": 8, // a text that is larger than any socket buffer
  "responds in long parts": 6,
  fails: 8,
  "fails half way": 4,
  "waits for ever": 12,
  "sends for ever": 7,
  "ignores its context": 8, // until after its timeout, perhaps, and then writes
  "ignores its context in parts": 4,
} as const;
export type Behavior = keyof typeof BEHAVIORS;

/** The types of bodies over HTTP/1.1, and how often. Every body is a valid one of its type. */
export const BODY_TYPES = { text: 2, json: 1, urlencoded: 1, raw: 1, multipart: 1 } as const;
export type BodyType = keyof typeof BODY_TYPES;

/** How a head or a body is sent. `stalled`: a part of it, and then nothing. */
export type Pace = "whole" | "trickled" | "stalled";

export interface RequestPlan {
  readonly id: number;
  /** What the handler does, after it has read the body if it `reads` that. */
  readonly behavior: Behavior;
  readonly reads: boolean;
  /** How the context is watched, beside what `eightysix/http` itself does. */
  readonly watched: "not at all" | "by signal" | "by callback";
  /** How long the handler takes for a step, in milliseconds. */
  readonly step: number;
  readonly head: Pace;
  readonly body:
    { readonly length: number; readonly pace: Pace; readonly type: BodyType } | undefined;
  /** How long the client waits before it sends this request, in milliseconds. */
  readonly after: number;
}

export const LEAVES = { FIN: 25, RST: 25, "half-close": 20, stays: 30 } as const;
export type Leave = keyof typeof LEAVES;

/** One connection, from its beginning to its end. */
export interface VisitPlan {
  readonly requests: readonly RequestPlan[];
  /** Whether requests are sent before the responses to earlier ones have arrived. */
  readonly pipelined: boolean;
  /** Whether the client reads nothing for a while, so that long responses stall. */
  readonly isSlowReader: boolean;
  /** How the client leaves. `stays`: it waits for all responses. */
  readonly leaves: Leave;
  /** When the client leaves, or reads again, in milliseconds after it connected. */
  readonly moment: number;
}

/** Returns numbers in [0, 1), always the same for the same seed. */
export type Draw = () => number;

/** Returns a visit with up to `most` requests, whose ids start at `first`. */
export function planVisit(draw: Draw, first: number, most: number): VisitPlan {
  const chance = (of: number): boolean => draw() < of;
  const below = (limit: number): number => Math.floor(draw() * limit);
  const pace = (): Pace => choose(draw, { whole: 80, trickled: 16, stalled: 4 });

  const requests = Array.from({ length: 1 + below(Math.min(most, 5)) }, (_, i): RequestPlan => ({
    id: first + i,
    behavior: choose(draw, BEHAVIORS),
    reads: chance(0.7),
    watched: choose(draw, { "not at all": 2, "by signal": 1, "by callback": 1 }),
    step: below(20),
    head: pace(),
    body: chance(0.5)
      ? {
          length: 1 + below(Number(choose(draw, { 4000: 7, 30000: 2, 300000: 1 }))),
          pace: pace(),
          type: choose(draw, BODY_TYPES),
        }
      : undefined,
    after: chance(0.5) ? 0 : below(10),
  }));
  const stalls = requests.some(({ head, body }) => head === "stalled" || body?.pace === "stalled");
  const leaves = choose(draw, LEAVES);
  return {
    requests,
    pipelined: chance(0.35),
    isSlowReader: chance(0.15),
    // No response comes to a request that is not sent completely.
    leaves: leaves === "stays" && stalls ? "FIN" : leaves,
    // Some clients wait until the timeout has passed, and then leave.
    moment: chance(0.05) ? below(2 * TIMEOUT) : below(chance(0.5) ? 10 : 80),
  };
}

/** Returns one of the keys, with a probability according to its weight. */
function choose<T extends string>(draw: Draw, weights: Readonly<Record<T, number>>): T {
  const all = Object.entries(weights) as [T, number][];
  let rest = draw() * all.reduce((sum, [, weight]) => sum + weight, 0);
  const found = all.find(([, weight]) => (rest -= weight) < 0);
  if (found === undefined) throw new RangeError("nothing to choose from");
  return found[0];
}
