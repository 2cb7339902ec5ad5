/** Says in a failure which work has not stopped. */
import type { Receipt } from "../index.ts";
import { siteOf, type Ledger } from "../internal.ts";
import type { Culprit } from "./failure.ts";

/** The most characters of a description that a failure shows. */
const LONGEST = 200;

type RunningWork = Ledger["running"][number];

/** Describes work that is running. */
export function describeRunning(work: RunningWork): Culprit {
  const receipt = work.receipt("running");
  const state =
    receipt === undefined
      ? `has been running for ${ms(work.running)}, and its context is live`
      : `is still running, ${ms(receipt.after)} after its context ${ended(receipt)}`;
  return { text: `${nameOf(work)} ${state}`, site: work.site };
}

/** Describes work that is running when the context of its test is about to end. */
export function describeAtTimeout(work: RunningWork): Culprit {
  return { text: `${nameOf(work)} had been running for ${ms(work.running)}`, site: work.site };
}

/** Describes work that was abandoned. */
export function describeAbandoned(receipt: Receipt): Culprit {
  const state = `was abandoned ${ms(receipt.after)} after its context ${ended(receipt)}`;
  return {
    text: `${nameOf(receipt)} ${state}: nothing has confirmed that it stopped`,
    site: siteOf(receipt),
  };
}

function nameOf({ kind, what = "" }: Pick<Receipt, "kind" | "what">): string {
  const text = what.length > LONGEST ? `${what.slice(0, LONGEST)}…` : what;
  return text === "" ? kind : `${kind} (${text})`;
}

function ended({ reason }: Receipt): string {
  if (reason === "deadline") return "had reached its deadline";
  return reason === "finished" ? "had finished" : "was canceled";
}

function ms(time: number): string {
  return `${Math.round(time)} ms`;
}
