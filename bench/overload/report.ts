/** Formats the table and its warning. */
import { median } from "../measure/cpu.ts";
import { markdown } from "../report/print.ts";
import { ms } from "../stop/report.ts";
import type { Outcome } from "./run.ts";

export interface Measured {
  readonly rate: number;
  readonly arm: string;
  /** One outcome for each round. */
  readonly outcomes: Outcome[];
}

/** If clients arrive later than this, the load was not the intended one. Milliseconds. */
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
      "refused",
      "after, ms",
    ],
    body,
  );
}

/** Returns a warning if the machine was too busy for the figures to be reliable. */
export function warnings(measured: readonly Measured[]): string {
  const worst = Math.max(...measured.flatMap(({ outcomes }) => outcomes.map(({ lag }) => lag)));
  if (worst < LATE) return "";
  return `\n\nThe machine was busy: in one run, one client in a hundred arrived ${ms(worst)} ms late or later.`;
}

const share = (x: number): string => (Number.isNaN(x) ? "–" : `${(x * 100).toFixed(0)} %`);
const figure = (x: number): string => (Number.isNaN(x) ? "–" : ms(x));
