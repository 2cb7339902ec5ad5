/** What a function has left behind. */
import { programStack } from "../failure.ts";

/** One thing that was left behind. */
export interface Leftover {
  /** What it is, for the option `ignore`. */
  readonly kind: LeftoverKind;
  /** Says what it is, for people. */
  readonly description: string;
  /** The stack of the code that created it, if that is known. */
  readonly stack: string | undefined;
}

/**
 * What was left behind. A "udp" is a UDP socket, a "process" is a child process, and a "watcher" watches
 * files.
 */
export type LeftoverKind =
  | "context"
  | "callback"
  | "listener"
  | "timer"
  | "connection"
  | "server"
  | "pipe"
  | "udp"
  | "process"
  | "worker"
  | "watcher";

/** Something that is still there. Its stack is formatted when it is read, because most of it goes. */
export class Found implements Leftover {
  readonly kind: LeftoverKind;
  readonly description: string;
  readonly #site: Error | undefined;

  constructor(kind: LeftoverKind, description: string, site: Error | undefined) {
    this.kind = kind;
    this.description = description;
    this.#site = site;
  }

  get stack(): string | undefined {
    return programStack(this.#site);
  }
}

/** Returns the lines of a failure. Things that one call has created share a line. */
export function printLeftovers(leftovers: readonly Leftover[]): string {
  const groups = new Map<string, Leftover[]>();
  for (const leftover of leftovers) {
    const { stack = leftover.description } = leftover;
    groups.set(stack, [...(groups.get(stack) ?? []), leftover]);
  }
  return [...groups.values()]
    .map((group) => {
      const what = [...new Set(group.map(({ description }) => description))].join(", and ");
      return [`- ${what}`, group[0]?.stack].filter(Boolean).join("\n");
    })
    .join("\n");
}
