/** Signals of the operating system, and the context that they end: Go's `signal.NotifyContext`. */
import { constants } from "node:os";
import { afterFunc, background, withCancel, type CancelableContext } from "../../index.ts";
import { show } from "../../internal.ts";

type OnSignal = (signal: string) => void;

/**
 * One process listener for each signal. With a listener for each caller, the eleventh would cause a
 * warning.
 */
const subscriptions = new Map<string, { callbacks: Set<OnSignal>; listener: () => void }>();

/**
 * Milliseconds within which a repeated signal counts as an echo. npm passes on a signal that the
 * terminal has sent to the whole process group, so the program gets it twice. People do not press
 * Ctrl-C twice within this time.
 */
const ECHO = 250;

export function signalNumber(signal: string): number {
  return (constants.signals as Readonly<Record<string, number | undefined>>)[signal] ?? 0;
}

/** Throws a TypeError unless `signals` is a list of signals that a program can listen to. */
export function checkSignals(signals: unknown, caller: string): void {
  if (!Array.isArray(signals)) {
    throw new TypeError(
      `${caller} takes signals in an array, got ${show(signals)}; pass ["SIGTERM"] or the like, or [] for none`,
    );
  }
  for (const signal of signals as unknown[]) {
    const isKnown = typeof signal === "string" && signalNumber(signal) > 0;
    if (isKnown && signal !== "SIGKILL" && signal !== "SIGSTOP") continue;
    throw new TypeError(
      `${caller} takes signals that a program can hear, got ${String(signal)}; pass "SIGTERM", "SIGINT" or the like`,
    );
  }
}

/**
 * Calls `callback` for each of the signals, except for echoes. Until the returned function is called,
 * these signals do not have their default effect.
 */
export function onSignals(signals: readonly string[], callback: OnSignal): () => void {
  let last = { signal: "", at: -ECHO };
  let hasStopped = false;
  const onSignal: OnSignal = (signal) => {
    const at = performance.now();
    if (hasStopped || (last.signal === signal && at - last.at < ECHO)) return;
    last = { signal, at };
    callback(signal);
  };
  const unsubscribeAll = (): void => {
    for (const signal of signals) unsubscribe(signal, onSignal);
  };
  for (const signal of signals) subscribe(signal, onSignal);
  return () => {
    hasStopped = true;
    // An echo must not kill a program that is closing its pools.
    const echo = last.at + ECHO - performance.now();
    if (echo > 0) setTimeout(unsubscribeAll, echo).unref();
    else unsubscribeAll();
  };
}

function subscribe(signal: string, callback: OnSignal): void {
  let subscription = subscriptions.get(signal);
  if (subscription === undefined) {
    const callbacks = new Set<OnSignal>();
    const listener = (): void => {
      for (const callback of [...callbacks]) callback(signal);
    };
    subscription = { callbacks, listener };
    subscriptions.set(signal, subscription);
    process.on(signal, listener);
  }
  subscription.callbacks.add(callback);
}

function unsubscribe(signal: string, callback: OnSignal): void {
  const subscription = subscriptions.get(signal);
  if (!subscription?.callbacks.delete(callback) || subscription.callbacks.size > 0) return;
  subscriptions.delete(signal);
  process.off(signal, subscription.listener);
}

/** The cause of a context that a signal has ended. */
export class SignalReceived extends Error {
  /** A stable code, for programs that compare strings. */
  readonly code = "ERR_SIGNAL_RECEIVED";
  /** The name of the signal, such as "SIGTERM". */
  readonly signal: string;

  constructor(signal: string) {
    super(`${signal} received`);
    this.name = "SignalReceived";
    this.signal = signal;
    this.stack = String(this); // a real stack would show the signal's listener
  }
}

/**
 * Returns a context that ends when the process gets one of the signals, with the cause
 * `SignalReceived`. Default: SIGINT and SIGTERM. Use it in the main program, as the root of workers,
 * loops and jobs.
 *
 * The context listens for signals until it ends or is disposed. It does not keep the process
 * running. After the first signal, the next one has its default effect again: it kills a program
 * that hangs. (In Go, that takes a call of `stop`.) A repeated signal within 250 ms, as npm sends
 * it, does not count as the next one.
 *
 * Do not make this context the parent of a server's requests: the first signal of a rolling restart
 * would fail all of them. `serve` shuts a server down in phases.
 *
 * @example
 * const ctx = notifyContext();
 * while (ctx.err() === undefined) await runNextJob(ctx);
 */
export function notifyContext(...signals: string[]): CancelableContext {
  const wanted = signals.length > 0 ? signals : ["SIGINT", "SIGTERM"];
  checkSignals(wanted, "notifyContext");
  const ctx = withCancel(background());
  const stopListening = onSignals(wanted, (signal) => {
    ctx.cancel(new SignalReceived(signal));
  });
  afterFunc(ctx, stopListening);
  return ctx;
}
