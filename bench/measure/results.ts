import type { Figures } from "../cases/index.ts";
import type { Ref } from "../report/rows.ts";
import { median } from "./cpu.ts";

/** The figures of each case in each round, of one Node and of Go. */
export class Results {
  readonly rounds = new Map<string, (Figures | undefined)[]>();
  /** Cases that could not be measured, and why. */
  readonly failures = new Map<string, string>();

  add(id: string, round: number, figures: Figures): void {
    const all = this.rounds.get(id) ?? [];
    all[round] = figures;
    this.rounds.set(id, all);
  }

  /** By round; a round in which the case failed is a hole. */
  private series(ref: Ref): (number | undefined)[] {
    const [id = "", figure = "value"] = ref.split("#");
    return (this.rounds.get(id) ?? []).map((figures) => figures?.[figure]);
  }

  value(ref: Ref): number | undefined {
    const measured = this.series(ref).filter((x) => x !== undefined);
    return measured.length > 0 ? median(measured) : undefined;
  }

  /** The median of the ratios of each round: both were measured within a minute of each other. */
  ratio(of: Ref, over: Ref): number | undefined {
    const below = this.series(over);
    const ratios = this.series(of).flatMap((x, i) => {
      const y = below[i];
      return x !== undefined && y !== undefined ? [x / y] : [];
    });
    return ratios.length > 0 ? median(ratios) : undefined;
  }
}
