import type { Figures } from "../cases/index.ts";
import type { Ref } from "../report/rows.ts";
import { median } from "./cpu.ts";

/** The figures of each case in each round, for one Node and for Go. */
export class Results {
  readonly rounds = new Map<string, (Figures | undefined)[]>();
  /** The cases that could not be measured, with the reason. */
  readonly failures = new Map<string, string>();

  add(id: string, round: number, figures: Figures): void {
    const all = this.rounds.get(id) ?? [];
    all[round] = figures;
    this.rounds.set(id, all);
  }

  /** Returns the figures by round. A round in which the case failed is `undefined`. */
  private series(ref: Ref): (number | undefined)[] {
    const [id = "", figure = "value"] = ref.split("#");
    return (this.rounds.get(id) ?? []).map((figures) => figures?.[figure]);
  }

  value(ref: Ref): number | undefined {
    const measured = this.series(ref).filter((x) => x !== undefined);
    return measured.length > 0 ? median(measured) : undefined;
  }

  /**
   * Returns the median of the rounds' ratios. In a round, both figures were measured within
   * minutes.
   */
  ratio(of: Ref, over: Ref): number | undefined {
    const below = this.series(over);
    const ratios = this.series(of).flatMap((x, i) => {
      const y = below[i];
      return x !== undefined && y !== undefined ? [x / y] : [];
    });
    return ratios.length > 0 ? median(ratios) : undefined;
  }
}
