import {
  afterFunc,
  background,
  checkpoint,
  key,
  merge,
  withCancel,
  withDeadline,
  withoutCancel,
  withSignal,
  withTimeout,
  withValue,
  type CancelableContext,
  type Context,
} from "eightysix";
import { turn } from "./cpu.ts";

/**
 * Uses every kind of context in every mixture, before a case of eightysix is measured. In a process
 * that creates one kind only, V8 would compile the library for that kind. No real program gets
 * that.
 */
export async function mixedProgram(): Promise<void> {
  const root = withCancel(background());
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 200; i++) request(root, i);
    await turn();
  }
  root.cancel();
}

const Attempt = key<number>("attempt");
const Name = key<string>("name");
const User = key<object>("user");

/** Returns one of the rarer kinds, in turn. */
function others(parent: Context, i: number): CancelableContext {
  switch (i % 8) {
    case 0:
      return withSignal(parent, new AbortController().signal);
    case 1:
      return merge(parent, withTimeout(background(), 5_000));
    case 2:
      return withCancel(withoutCancel(parent));
    case 3:
      return withDeadline(parent, Date.now() + 10_000);
    default:
      return withCancel(parent);
  }
}

function request(root: Context, i: number): void {
  const top = i % 2 === 0 ? withTimeout(root, 30_000 + i) : withCancel(root);
  const named = withValue(withValue(top, Attempt, i), User, { i });
  const other = others(named, i);
  const inner = i % 3 === 0 ? withCancel(named) : withTimeout(named, i % 5 === 0 ? 60_000 : 1_000);
  const leaf = withValue(inner, Name, `request ${i}`);
  let stop: (() => boolean) | undefined;
  if (i % 4 === 0) stop = afterFunc(leaf, () => undefined);
  if (i % 8 === 1) leaf.signal.addEventListener("abort", () => undefined);
  if (leaf.err() !== undefined || leaf.value(Attempt) !== i || named.value(Name) !== undefined)
    throw new Error("broken");
  // The promise may reject, because the context is canceled below.
  checkpoint(leaf)?.catch(() => undefined);
  if (other.err() !== undefined || other.value(Attempt) !== i) throw new Error("broken");
  if (i % 16 === 4) stop?.();
  if (i % 6 === 0) top.cancel(new Error("mixed"));
  inner.cancel();
  other.cancel();
  top.cancel();
  if (leaf.err() === undefined) throw new Error("not canceled");
}
