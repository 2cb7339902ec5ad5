/** The beginning and the end of recorded work, as steps. */
import { working, type Context, type WorkInfo } from "../index.ts";

interface Channels {
  subscribe(name: string, onMessage: (message: unknown) => void): void;
  unsubscribe(name: string, onMessage: (message: unknown) => void): void;
}

interface Builtins {
  process?: { getBuiltinModule?: (id: string) => Channels | undefined };
}

/**
 * Calls `step` when work begins or ends in the ledger of `ctx`, until the returned function is called.
 * Does nothing on a platform without `node:diagnostics_channel`.
 */
export function onWork(ctx: Context, step: (name: string) => void): () => void {
  const channels = (globalThis as Builtins).process?.getBuiltinModule?.("node:diagnostics_channel");
  const own = new Set<WorkInfo>();
  const onStart = (message: unknown): void => {
    const work = message as WorkInfo;
    if (!working(ctx).includes(work)) return; // of another test
    own.add(work);
    step(`${work.kind} begins`);
  };
  const onEnd = (message: unknown): void => {
    const { work } = message as { work: WorkInfo };
    if (own.delete(work)) step(`${work.kind} ends`);
  };
  channels?.subscribe("eightysix:work.start", onStart);
  channels?.subscribe("eightysix:work.end", onEnd);
  return () => {
    channels?.unsubscribe("eightysix:work.start", onStart);
    channels?.unsubscribe("eightysix:work.end", onEnd);
  };
}
