/** Signals of the operating system, and the context that they end: Go's `signal.NotifyContext`. */
import { constants } from "node:os";
import { afterFunc, background, withCancel, type CancelableContext } from "../../index.ts";

type Heard = (signal: string) => void;

/** One listener for each signal, however many want to hear it: an eleventh would be a warning. */
const ears = new Map<string, { heard: Set<Heard>; listener: () => void }>();

/**
 * npm hands a signal on that the terminal had sent to the whole group, so that the program gets it
 * twice. Nobody presses Ctrl-C twice within this time.
 */
const ECHO = 250;

export function signalNumber(signal: string): number {
  return (constants.signals as Readonly<Record<string, number | undefined>>)[signal] ?? 0;
}

/** Throws a TypeError for what is no signal that a program can hear. */
export function checkSignals(signals: readonly unknown[], caller: string): void {
  for (const signal of signals) {
    const known = typeof signal === "string" && signalNumber(signal) > 0;
    if (known && signal !== "SIGKILL" && signal !== "SIGSTOP") continue;
    throw new TypeError(
      `${caller} takes signals that a program can hear, got ${String(signal)}; pass "SIGTERM", "SIGINT" or the like`,
    );
  }
}

/**
 * Calls `heard` for each of the signals, echoes left out. While somebody listens, a signal does not
 * do what it does by default. Returns what ends that.
 */
export function onSignals(signals: readonly string[], heard: Heard): () => void {
  let last = { signal: "", at: -ECHO };
  let ended = false;
  const hear: Heard = (signal) => {
    const at = performance.now();
    if (ended || (last.signal === signal && at - last.at < ECHO)) return;
    last = { signal, at };
    heard(signal);
  };
  const end = (): void => {
    for (const signal of signals) unlisten(signal, hear);
  };
  for (const signal of signals) listen(signal, hear);
  return () => {
    ended = true;
    const echo = last.at + ECHO - performance.now(); // must not kill who is busy closing pools
    if (echo > 0) setTimeout(end, echo).unref();
    else end();
  };
}

function listen(signal: string, heard: Heard): void {
  let ear = ears.get(signal);
  if (ear === undefined) {
    const all = new Set<Heard>();
    const listener = (): void => {
      for (const heard of [...all]) heard(signal);
    };
    ear = { heard: all, listener };
    ears.set(signal, ear);
    process.on(signal, listener);
  }
  ear.heard.add(heard);
}

function unlisten(signal: string, heard: Heard): void {
  const ear = ears.get(signal);
  if (!ear?.heard.delete(heard) || ear.heard.size > 0) return;
  ears.delete(signal);
  process.off(signal, ear.listener);
}

/** The cause of a context that a signal has ended. */
export class SignalReceived extends Error {
  /** Stable, for code that would rather compare strings. */
  readonly code = "ERR_SIGNAL_RECEIVED";
  /** As "SIGTERM". */
  readonly signal: string;

  constructor(signal: string) {
    super(`${signal} received`);
    this.name = "SignalReceived";
    this.signal = signal;
    this.stack = String(this); // it would name the signal's listener
  }
}

/**
 * A context that ends when the process gets one of the signals, by default SIGINT or SIGTERM, with
 * the cause `SignalReceived`. For main: the root of workers, loops and jobs.
 *
 * It listens until it has ended or is disposed, and does not keep the process running. After the
 * first signal the next does again what it does by default: it kills a program that hangs. (In Go
 * that takes a call of `stop`.) The echo of a signal within 250 ms, as under npm, is no second one.
 *
 * Do not make it the parent of the requests of a server: the first signal of a rolling restart
 * would fail them all. `serve` has the sequence for them.
 */
export function notifyContext(...signals: string[]): CancelableContext {
  const wanted = signals.length > 0 ? signals : ["SIGINT", "SIGTERM"];
  checkSignals(wanted, "notifyContext");
  const ctx = withCancel(background());
  const end = onSignals(wanted, (signal) => {
    ctx.cancel(new SignalReceived(signal));
  });
  afterFunc(ctx, end);
  return ctx;
}
