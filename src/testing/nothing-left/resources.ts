/** The timers, connections and other resources of a function, by `node:async_hooks`. */
import { recordStack, userStack } from "../../internal.ts";
import { builtin } from "./builtin.ts";
import { Found, type Leftover, type LeftoverKind } from "./leftover.ts";

/** The types of resources that stay until the program ends them, and what they are. */
const KINDS: Partial<Record<string, readonly [kind: LeftoverKind, description: string]>> = {
  Timeout: ["timer", "a timer"],
  TCPWRAP: ["connection", "a connection"],
  TCPSERVERWRAP: ["server", "a server that listens"],
  PIPEWRAP: ["pipe", "a pipe"],
  PIPESERVERWRAP: ["server", "a server that listens on a pipe"],
  UDPWRAP: ["udp", "a UDP socket"],
  PROCESSWRAP: ["process", "a child process"],
  WORKER: ["worker", "a worker thread"],
  FSEVENTWRAP: ["watcher", "a file watcher"],
};

interface Resource {
  readonly type: string;
  readonly site: Error;
  /**
   * The resource in whose event this one was created: the server of an accepted connection, or the look-up
   * of a name before a server listens. It leads to the program if the stack of this one does not.
   */
  readonly cause: Resource | undefined;
  /** How many causes lie above. */
  readonly depth: number;
  readonly handle: WeakRef<object>;
}

/** How many causes are remembered, because each can have another one for ever. */
const MOST_CAUSES = 32;

export class Resources {
  readonly #live = new Map<number, Resource>();
  readonly #hook: { enable(): unknown; disable(): unknown } | undefined;

  constructor(isInside: () => boolean) {
    const hooks = builtin("node:async_hooks");
    this.#hook = hooks?.createHook({
      init: (id, type, trigger, handle) => {
        // The stacks of promises are not needed, because V8 continues a stack behind an `await`.
        if (type === "PROMISE" || !isInside()) return;
        const above = this.#live.get(trigger) ?? this.#live.get(hooks.executionAsyncId());
        const cause = above !== undefined && above.depth < MOST_CAUSES ? above : undefined;
        const depth = cause === undefined ? 0 : cause.depth + 1;
        const site = recordStack();
        this.#live.set(id, { type, site, cause, depth, handle: new WeakRef(handle) });
      },
      destroy: (id) => {
        this.#live.delete(id);
      },
    });
  }

  start(): void {
    this.#hook?.enable();
  }

  stop(): void {
    this.#hook?.disable();
    this.#live.clear();
  }

  leftovers(): Leftover[] {
    const found: Leftover[] = [];
    for (const resource of this.#live.values()) {
      const known = KINDS[resource.type];
      const handle = resource.handle.deref();
      if (known === undefined || handle === undefined) continue;
      if (isOfRuntime(resource) || isOfDeadline(resource, handle)) continue;
      const [kind, description] = known;
      const detail = detailOf(handle);
      found.push(new Found(kind, `${description}${detail}`, siteOf(resource)));
    }
    return found;
  }
}

/** Returns the stack of the nearest resource whose stack leads to the program. */
function siteOf(resource: Resource): Error {
  let at: Resource | undefined = resource;
  while (at !== undefined && userStack(at.site) === undefined) at = at.cause;
  return (at ?? resource).site;
}

/** Frames of Node's timers, above the code that sets a timer. */
const TIMERS = /\bnode:(?:internal\/)?timers:/;

/** Who sets timers that are not the program's: Node, except for `node:timers/promises`, and vitest. */
const NOT_THE_PROGRAM = /\bnode:(?!timers\/promises)|[\\/]@vitest[\\/]runner[\\/]/;

/**
 * Whether a resource belongs to the runtime. A timer that Node itself sets goes with its connection or its
 * server. `process.stdout` stays from its first use on.
 */
function isOfRuntime({ type, site }: Resource): boolean {
  const { stack = "" } = site;
  if (/\bnode:internal\/bootstrap\/switches\//.test(stack)) return true;
  if (type !== "Timeout") return false;
  const frames = stack.split("\n");
  const first = frames.findIndex((frame) => TIMERS.test(frame));
  const caller = frames.slice(first).find((frame) => !TIMERS.test(frame)) ?? "";
  return NOT_THE_PROGRAM.test(caller);
}

/** Whether a timer is that of a deadline. The context of the deadline is reported. */
function isOfDeadline({ type, site }: Resource, handle: { hasRef?(): boolean }): boolean {
  if (type !== "Timeout" || handle.hasRef?.() !== false) return false;
  return /[\\/]core[\\/]clock\.[jt]s:/.test(site.stack ?? "");
}

/** Returns the duration of a timer, or the address of a connection. */
function detailOf(handle: { _idleTimeout?: number; getpeername?(peer: object): number }): string {
  if (handle._idleTimeout !== undefined) return ` of ${handle._idleTimeout} ms`;
  try {
    const peer: { address?: string; port?: number } = {};
    handle.getpeername?.(peer);
    return peer.address === undefined ? "" : ` to ${peer.address}:${String(peer.port)}`;
  } catch {
    return ""; // the handle is closed
  }
}
