/**
 * The remaining time as a header states it. Headers state a duration, not a point in time, because
 * the clocks of two machines differ. The duration is rounded down, so that no server believes in more
 * time than there is.
 */

/** How a header states a duration. */
export interface DurationFormat {
  /** Formats a duration from 1 ms on. A duration that is too long becomes the longest possible one. */
  write(ms: number): string;
  /** Returns the milliseconds, or `undefined` if the text is malformed. */
  read(text: string): number | undefined;
}

/** The grammar of Connect, because there is no standard. `Number` would accept "", "1e3" and "0x10". */
const milliseconds: DurationFormat = {
  write: (ms) => String(Math.min(Math.floor(ms), 9_999_999_999)),
  read: (text) => (/^\d{1,10}$/.test(text) ? Number(text) : undefined),
};

const UNITS = { n: 1e-6, u: 1e-3, m: 1, S: 1e3, M: 60e3, H: 3600e3 } as const;
type Unit = keyof typeof UNITS;

/** The grammar of gRPC: at most eight digits and a unit. */
const grpc: DurationFormat = {
  write(ms) {
    for (const unit of ["m", "S", "M"] as const) {
      const count = Math.floor(ms / UNITS[unit]);
      if (count <= 99_999_999) return `${count}${unit}`;
    }
    return `${Math.min(Math.floor(ms / UNITS.H), 99_999_999)}H`;
  },
  read(text) {
    const [, count, unit] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
    return count === undefined ? undefined : Number(count) * UNITS[unit as Unit];
  },
};

/** Returns the format of a header's value. */
export function formatOf(header: string): DurationFormat {
  return header.toLowerCase() === "grpc-timeout" ? grpc : milliseconds;
}
