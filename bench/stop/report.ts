/** Formats the tables. */
import { median } from "../measure/cpu.ts";
import { markdown } from "../report/print.ts";
import { ratioTo, type Cost } from "./costs.ts";
import type { Figures, Remaining } from "./remaining.ts";

export interface Measured {
  readonly driver: string;
  readonly version: string;
  readonly server: string;
  /** A text that says what the bare cancel is, or why there is none. */
  readonly bare: string;
  readonly remaining: readonly Remaining[];
  readonly costOf: string;
  readonly costs: readonly Cost[];
}

/** The promise: the median stop of eightysix takes at most this many bare cancels. */
const AIM = 2;

export function remainingTable(all: readonly Measured[]): string {
  const body = all.flatMap(({ driver, remaining }) =>
    remaining.map(({ work, race, own, byHand, ours, bare, looks }) => {
      const middle = median(ours.remaining);
      return [
        `${driver}, ${work}`,
        cell(race),
        own === undefined ? "–" : `${own.what}: ${cell(own)}`,
        byHand === undefined ? "–" : cell(byHand),
        `**${cell(ours)}**`,
        ms(median(ours.told)),
        ms(median(looks)),
        bare === undefined ? "–" : spread(bare),
        bare === undefined ? "–" : verdict(middle / median(bare)),
      ];
    }),
  );
  return markdown(
    [
      "Time that the server works after an abort, ms: p50 / p99 / max (repetitions)",
      "Promise.race",
      "the driver's own",
      "by hand",
      "withContext",
      "caller told, p50",
      "one look, p50",
      "bare cancel",
      `ours / bare (aim: ≤ ${AIM})`,
    ],
    body,
  );
}

export function costTables(all: readonly Measured[]): string {
  return all
    .filter(({ costs }) => costs.length > 0)
    .map(({ driver, costOf, costs }) => {
      const [bare] = costs;
      const body = costs.map((cost) => [
        cost.name,
        median(cost.wall).toFixed(1),
        times(bare, cost, "wall"),
        median(cost.cpu).toFixed(1),
        times(bare, cost, "cpu"),
      ]);
      return markdown([`${driver}, ${costOf}, µs`, "wall", "×", "CPU", "×"], body);
    })
    .join("\n\n");
}

/** Returns a line for each driver: its version, its server and its bare cancel. */
export function notes(all: readonly Measured[]): string {
  return all
    .map(({ driver, version, server, bare }) => `- ${driver} ${version}, ${server}; ${bare}`)
    .join("\n");
}

function times(bare: Cost | undefined, cost: Cost, of: "wall" | "cpu"): string {
  return bare === undefined || bare === cost ? "" : ratioTo(bare[of], cost[of]).toFixed(3);
}

const verdict = (ratio: number): string => `${ratio.toFixed(2)}${ratio > AIM ? " NOT MET" : ""}`;

const cell = ({ remaining }: Figures): string => `${spread(remaining)} (${remaining.length})`;

function spread(samples: readonly number[]): string {
  return [median(samples), percentile(samples, 0.99), Math.max(...samples)].map(ms).join(" / ");
}

/** Returns the percentile by the nearest rank, which is one of the samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** 0.25, 5.8, 21, 2,902. */
export function ms(x: number): string {
  if (Math.abs(x) >= 100) return Math.round(x).toLocaleString("en-US");
  return x.toFixed(Math.abs(x) >= 10 ? 0 : Math.abs(x) >= 1 ? 1 : 2);
}
