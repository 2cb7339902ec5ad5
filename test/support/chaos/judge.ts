/** Decides which end the context of a request may have, from what its client saw and did. */
import { cause, type Context } from "../../../src/index.ts";
import { bug } from "./behavior.ts";
import { TIMEOUT, type Behavior, type RequestPlan } from "./plan.ts";
import type { Pulse } from "./pulse.ts";
import type { ReceivedResponse, Subject, Visited } from "./stage.ts";

/** A request whose handler has started. */
export interface StartedRequest {
  readonly plan: RequestPlan;
  /** When the request arrived, by the clock of `Visited`. */
  readonly at: number;
  ctx: Context | undefined;
}

export type End = "ClientDisconnected" | "RequestFinished" | "LocalTimeout" | "bug";
const ENDS: End[] = ["ClientDisconnected", "RequestFinished", "LocalTimeout", "bug"];

/** A disconnect must be noticed within this many milliseconds in which the event loop ran. */
const SLACK = 500;

/** Node buffers this much of a body that is not read (12 to 68 KB). After that it sees no FIN. */
const READ_BUFFER = 8_000;

export interface Verdict {
  readonly end: End | undefined;
  /** Whether the client left before its response had arrived. */
  readonly isDisconnected: boolean;
  /** Whether the disconnect was not noticed (see the limitations in `src/http/request/request-end.ts`). */
  readonly missed: boolean;
  /** What is wrong with the end. */
  readonly complaint: string | undefined;
}

export function judge(
  { plan, at, ctx }: StartedRequest,
  visited: Visited,
  subject: Subject,
  pulse: Pulse,
): Verdict {
  const end = ctx && causeOf(ctx);
  const index = visited.plan.requests.indexOf(plan);
  const { left } = visited;
  const response = visited.responses[index];
  const isDisconnected = response === undefined || response.at > left.at;
  const inTime = isInTime(at, left.at, pulse);
  const allowed = isDisconnected
    ? endsAfterDisconnect(plan, inTime, visited, subject)
    : endsAfterResponse(at, response);
  const missed = isDisconnected && inTime && end === "LocalTimeout";
  const isRight = end !== undefined && allowed.includes(end);
  const complaint = isRight
    ? undefined
    : `${end ?? "no end"} instead of ${allowed.join(" or ")}, ${JSON.stringify({ index, at, ...visited })}`;
  return { end, isDisconnected, missed, complaint };
}

function causeOf(ctx: Context): End | undefined {
  const why = cause(ctx);
  if (why === bug) return "bug";
  return why === undefined ? undefined : ((why as Error).name as End);
}

function endsAfterResponse(at: number, { status, at: when }: ReceivedResponse): End[] {
  if (status === 503) return ["LocalTimeout"];
  return when < at + TIMEOUT ? ["RequestFinished"] : ["RequestFinished", "LocalTimeout"];
}

function endsAfterDisconnect(
  plan: RequestPlan,
  inTime: boolean,
  visited: Visited,
  subject: Subject,
): End[] {
  if (isUnreported(plan, visited, subject)) return ENDS;
  const allowed: End[] = ["ClientDisconnected"];
  if (canRespond(plan, visited)) allowed.push("RequestFinished"); // the response was on its way when the client left
  if (plan.behavior === "fails half way") allowed.push("bug");
  const isExcused = subject.detectsBy !== "stream" && isUnnoticeable(visited);
  if (isExcused || !inTime) allowed.push("LocalTimeout");
  return allowed;
}

/** Whether the client left early enough before the timeout that its disconnect must be noticed. */
function isInTime(at: number, left: number, pulse: Pulse): boolean {
  const known = Math.max(at, left);
  const limit = at + TIMEOUT;
  return known + SLACK + pulse.blockedTime(known, limit) < limit;
}

function canRespond(plan: RequestPlan, { plan: { requests }, sent }: Visited): boolean {
  if (plan.behavior === "waits for ever" || plan.behavior === "sends for ever") return false;
  return !plan.reads || requests.indexOf(plan) < sent;
}

const LONG_RESPONSES: ReadonlySet<Behavior> = new Set([
  "responds at length",
  "responds in long parts",
]);

/** Whether a limitation of `src/http/request/request-end.ts` applies: Node does not read FIN or RST. */
function isUnnoticeable({ plan: { requests, pipelined } }: Visited): boolean {
  const isUnread = requests.some(({ body, reads }) => !reads && (body?.length ?? 0) > READ_BUFFER);
  const [, ...behind] = requests;
  const isFull =
    pipelined && behind.slice(0, -1).some(({ behavior }) => LONG_RESPONSES.has(behavior));
  return isUnread || isFull;
}

/** Whether Node 20 or 22 reports no end: of a pipelined request that waits when the connection closes. */
function isUnreported(plan: RequestPlan, visited: Visited, { detectsBy }: Subject): boolean {
  const isBehind = visited.plan.pipelined && visited.plan.requests[0] !== plan;
  return detectsBy === "signal" && isBehind && Number.parseInt(process.versions.node) < 24;
}
