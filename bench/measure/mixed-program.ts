import {
  afterFunc,
  background,
  checkpoint,
  key,
  withCancel,
  withTimeout,
  withValue,
  type Context,
  type Key,
} from "eightysix";
import { turn } from "./cpu.ts";

/**
 * Uses every kind of context in every mixture before ours is measured. In a process that only ever
 * makes one kind, V8 would compile the library for that kind alone, and no real program gets that.
 */
export async function mixedProgram(): Promise<void> {
  const K = key<number>("mixed");
  const root = withCancel(background());
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 200; i++) request(root, K, i);
    await turn();
  }
  root.cancel();
}

function request(root: Context, K: Key<number>, i: number): void {
  const top = i % 2 === 0 ? withTimeout(root, 30_000 + i) : withCancel(root);
  const named = withValue(top, K, i);
  const inner = i % 3 === 0 ? withCancel(named) : withTimeout(named, i % 5 === 0 ? 60_000 : 1_000);
  const leaf = withValue(inner, K, -i);
  let stop: (() => boolean) | undefined;
  if (i % 4 === 0) stop = afterFunc(leaf, () => undefined);
  if (i % 8 === 1) leaf.signal.addEventListener("abort", () => undefined);
  if (leaf.err() !== undefined || leaf.value(K) !== -i || named.value(K) !== i)
    throw new Error("broken");
  // It may have to wait, and the context is cancelled below.
  checkpoint(leaf)?.catch(() => undefined);
  if (i % 16 === 4) stop?.();
  if (i % 6 === 0) top.cancel(new Error("mixed"));
  inner.cancel();
  top.cancel();
  if (leaf.err() === undefined) throw new Error("not cancelled");
}
