/** Which end a request's context must have had, from what its client saw and did. */
import { cause, type Context } from "../../../src/index.ts";
import { bug } from "./deeds.ts";
import { TIMEOUT, type Deed, type RequestPlan } from "./plan.ts";
import type { Pulse } from "./pulse.ts";
import type { Answer, Subject, Visited } from "./stage.ts";

/** A request whose handler has run. */
export interface Begun {
  readonly plan: RequestPlan;
  /** When it had come, by the clock of `Visited`. */
  readonly at: number;
  ctx: Context | undefined;
}

export type End = "ClientDisconnected" | "RequestFinished" | "LocalTimeout" | "bug";
const ENDS: End[] = ["ClientDisconnected", "RequestFinished", "LocalTimeout", "bug"];

/** A departure must be noticed within so many milliseconds in which the event loop ran. */
const SLACK = 500;

/** Node reads so much of a body that nobody reads (12 to 68 KB), and then no FIN either. */
const READ_BUFFER = 8_000;

export interface Verdict {
  readonly end: End | undefined;
  /** Left before its answer had come. */
  readonly abandoned: boolean;
  /** Left unnoticed, as is written down in `src/http/request/request-end.ts`. */
  readonly missed: boolean;
  /** What is wrong. */
  readonly complaint: string | undefined;
}

export function judge(
  { plan, at, ctx }: Begun,
  visited: Visited,
  subject: Subject,
  pulse: Pulse,
): Verdict {
  const end = ctx && endOf(ctx);
  const index = visited.plan.requests.indexOf(plan);
  const { left } = visited;
  const answered = visited.answers[index];
  const abandoned = answered === undefined || answered.at > left.at;
  const inTime = isInTime(at, left.at, pulse);
  const may = abandoned
    ? endsOfAbandoned(plan, inTime, visited, subject)
    : endsOfAnswered(at, answered);
  const missed = abandoned && inTime && end === "LocalTimeout";
  const isRight = end !== undefined && may.includes(end);
  const complaint = isRight
    ? undefined
    : `${end ?? "no end"} where ${may.join(" or ")} was due, ${JSON.stringify({ index, at, ...visited })}`;
  return { end, abandoned, missed, complaint };
}

function endOf(ctx: Context): End | undefined {
  const why = cause(ctx);
  if (why === bug) return "bug";
  return why === undefined ? undefined : ((why as Error).name as End);
}

function endsOfAnswered(at: number, { status, at: when }: Answer): End[] {
  if (status === 503) return ["LocalTimeout"];
  return when < at + TIMEOUT ? ["RequestFinished"] : ["RequestFinished", "LocalTimeout"];
}

function endsOfAbandoned(
  plan: RequestPlan,
  inTime: boolean,
  visited: Visited,
  subject: Subject,
): End[] {
  if (isUnheard(plan, visited, subject)) return ENDS;
  const may: End[] = ["ClientDisconnected"];
  if (canAnswer(plan, visited)) may.push("RequestFinished"); // on its way when the client left
  if (plan.deed === "fails half way") may.push("bug");
  const isExcused = subject.hears !== "stream" && isUnnoticeable(visited);
  if (isExcused || !inTime) may.push("LocalTimeout");
  return may;
}

/** Whether the client had left so early that the limit is no excuse. */
function isInTime(at: number, left: number, pulse: Pulse): boolean {
  const known = Math.max(at, left);
  const limit = at + TIMEOUT;
  return known + SLACK + pulse.stoodStill(known, limit) < limit;
}

function canAnswer(plan: RequestPlan, { plan: { requests }, sent }: Visited): boolean {
  if (plan.deed === "waits for ever" || plan.deed === "sends for ever") return false;
  return !plan.reads || requests.indexOf(plan) < sent;
}

const LONG_ONES: ReadonlySet<Deed> = new Set(["answers at length", "answers in long parts"]);

/** The misses that `src/http/request/request-end.ts` owns up to: Node reads no more, of FIN and RST neither. */
function isUnnoticeable({ plan: { requests, pipelined } }: Visited): boolean {
  const isUnread = requests.some(({ body, reads }) => !reads && (body?.length ?? 0) > READ_BUFFER);
  const [, ...behind] = requests;
  const isFull = pipelined && behind.slice(0, -1).some(({ deed }) => LONG_ONES.has(deed));
  return isUnread || isFull;
}

/** Node 20 and 22 tell nobody of a request that waits behind another when the connection closes. */
function isUnheard(plan: RequestPlan, visited: Visited, { hears }: Subject): boolean {
  const isBehind = visited.plan.pipelined && visited.plan.requests[0] !== plan;
  return hears === "signal" && isBehind && Number.parseInt(process.versions.node) < 24;
}
