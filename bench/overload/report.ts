/** The table. */
import { median } from "../measure/cpu.ts";
import { markdown } from "../report/print.ts";
import { ms } from "../stop/report.ts";
import type { Outcome } from "./run.ts";

export interface Measured {
  readonly rate: number;
  readonly arm: string;
  /** One for each round. */
  readonly outcomes: Outcome[];
}

/** Clients that come so many milliseconds late do not come as they were meant to. */
const LATE = 30;

export function table(measured: readonly Measured[]): string {
  const body = measured.map(({ rate, arm, outcomes }, i) => {
    const of = (figure: keyof Outcome) => median(outcomes.map((outcome) => outcome[figure]));
    const refused = of("refused");
    return [
      arm,
      measured[i - 1]?.rate === rate ? "" : `${rate}/s`,
      `${of("goodput").toFixed(0)}/s`,
      share(of("wasted")),
      figure(of("p50")),
      figure(of("p99")),
      share(refused),
      refused > 0 ? figure(of("toldAfter")) : "–",
    ];
  });
  return markdown(
    [
      "",
      "clients",
      "served in time",
      "resource wasted",
      "p50, ms",
      "p99, ms",
      "told no",
      "after, ms",
    ],
    body,
  );
}

/** What must be known of the machine, to believe the figures. */
export function warnings(measured: readonly Measured[]): string {
  const worst = Math.max(...measured.flatMap(({ outcomes }) => outcomes.map(({ lag }) => lag)));
  if (worst < LATE) return "";
  return `\n\nThe machine was busy: of the clients of one run, one in a hundred came ${ms(worst)} ms late or more.`;
}

const share = (x: number): string => (Number.isNaN(x) ? "–" : `${(x * 100).toFixed(0)} %`);
const figure = (x: number): string => (Number.isNaN(x) ? "–" : ms(x));
