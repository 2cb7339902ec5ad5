/**
 * The time that is left, as headers say it. Always relative, because clocks of two machines differ,
 * and always rounded down: nobody downstream may believe in more time than there is.
 */

/** How a header writes a duration. */
export interface Form {
  /** From 1 ms on. What is too long for the form becomes the longest that it can say. */
  write(ms: number): string;
  /** Milliseconds, or `undefined` if it is malformed. */
  read(text: string): number | undefined;
}

/** Connect's grammar, for lack of a standard. `Number` alone would take "", "1e3" and "0x10". */
const milliseconds: Form = {
  write: (ms) => String(Math.min(Math.floor(ms), 9_999_999_999)),
  read: (text) => (/^\d{1,10}$/.test(text) ? Number(text) : undefined),
};

const UNITS = { n: 1e-6, u: 1e-3, m: 1, S: 1e3, M: 60e3, H: 3600e3 } as const;
type Unit = keyof typeof UNITS;

/** gRPC: at most eight digits and a unit. */
const grpc: Form = {
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

export function formOf(header: string): Form {
  return header.toLowerCase() === "grpc-timeout" ? grpc : milliseconds;
}
