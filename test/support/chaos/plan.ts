/** What a chaotic client does, and what it asks its server to do: all of it drawn from a seed. */

/** The limit of every request, in milliseconds. */
export const TIMEOUT = 1_000;

/** How long a client waits for what the server owes it, in milliseconds. */
export const PATIENCE = 40_000;

/** What a handler does with its request. */
export const DEEDS = {
  "answers at once": 20,
  "answers later": 20,
  "answers in parts": 15,
  "answers at length": 8, // a text that no socket takes whole
  "answers in long parts": 6,
  fails: 8,
  "fails half way": 4,
  "waits for ever": 12,
  "sends for ever": 7,
} as const;
export type Deed = keyof typeof DEEDS;

/** How a head or a body is sent: `stalled` means a part of it and then nothing. */
export type Pace = "whole" | "trickled" | "stalled";

export interface RequestPlan {
  readonly id: number;
  /** What the handler does, when it has read the body if it `reads` that. */
  readonly deed: Deed;
  readonly reads: boolean;
  /** Who is told of the end of the context, beside what `eightysix/http` itself does. */
  readonly watched: "by nobody" | "by signal" | "by callback";
  /** How long the handler takes for a step, in milliseconds. */
  readonly step: number;
  readonly head: Pace;
  readonly body: { readonly length: number; readonly pace: Pace } | undefined;
  /** How long the client waits before it sends this request, in milliseconds. */
  readonly after: number;
}

export const LEAVES = { FIN: 25, RST: 25, "half-close": 20, stays: 30 } as const;
export type Leave = keyof typeof LEAVES;

/** One connection, from its beginning to its end. */
export interface VisitPlan {
  readonly requests: readonly RequestPlan[];
  /** Whether requests are sent before the earlier ones are answered. */
  readonly pipelined: boolean;
  /** Whether nothing is read for a while, so that long answers come to a halt. */
  readonly deaf: boolean;
  /** `stays`: until all is answered. */
  readonly leaves: Leave;
  /** When it leaves, or hears again, in milliseconds from its first byte. */
  readonly moment: number;
}

/** Numbers in [0, 1), always the same for the same seed. */
export type Draw = () => number;

/** A visit with up to `most` requests, whose ids begin with `first`. */
export function planVisit(draw: Draw, first: number, most: number): VisitPlan {
  const chance = (of: number): boolean => draw() < of;
  const below = (limit: number): number => Math.floor(draw() * limit);
  const pace = (): Pace => one(draw, { whole: 80, trickled: 16, stalled: 4 });

  const requests = Array.from({ length: 1 + below(Math.min(most, 5)) }, (_, i): RequestPlan => ({
    id: first + i,
    deed: one(draw, DEEDS),
    reads: chance(0.7),
    watched: one(draw, { "by nobody": 2, "by signal": 1, "by callback": 1 }),
    step: below(20),
    head: pace(),
    body: chance(0.5)
      ? { length: 1 + below(Number(one(draw, { 4000: 7, 30000: 2, 300000: 1 }))), pace: pace() }
      : undefined,
    after: chance(0.5) ? 0 : below(10),
  }));
  const stalls = requests.some(({ head, body }) => head === "stalled" || body?.pace === "stalled");
  const leaves = one(draw, LEAVES);
  return {
    requests,
    pipelined: chance(0.35),
    deaf: chance(0.15),
    // Nobody can wait for the answer to what was not asked.
    leaves: leaves === "stays" && stalls ? "FIN" : leaves,
    // Some wait for the limit to pass, and then leave.
    moment: chance(0.05) ? below(2 * TIMEOUT) : below(chance(0.5) ? 10 : 80),
  };
}

/** One of the keys, as often as its weight says. */
function one<T extends string>(draw: Draw, weights: Readonly<Record<T, number>>): T {
  const all = Object.entries(weights) as [T, number][];
  let rest = draw() * all.reduce((sum, [, weight]) => sum + weight, 0);
  const found = all.find(([, weight]) => (rest -= weight) < 0);
  if (found === undefined) throw new RangeError("nothing to choose from");
  return found[0];
}
