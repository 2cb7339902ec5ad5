/**
 * Derives one AbortController from another, as people write it by hand today. Cleans up correctly.
 */

export interface Child {
  readonly signal: AbortSignal;
  cancel(reason: unknown): void;
}

export function listenerChild(parent: AbortSignal): Child {
  const own = new AbortController();
  const onAbort = () => own.abort(parent.reason);
  parent.addEventListener("abort", onAbort, { once: true });
  return {
    signal: own.signal,
    cancel(reason) {
      parent.removeEventListener("abort", onAbort);
      own.abort(reason);
    },
  };
}

export function timeoutChild(parent: AbortSignal, ms: number): Child {
  const own = new AbortController();
  const end = (reason: unknown) => {
    clearTimeout(timer);
    parent.removeEventListener("abort", onAbort);
    own.abort(reason);
  };
  const onAbort = () => end(parent.reason);
  parent.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => end(new DOMException("timed out", "TimeoutError")), ms).unref();
  return { signal: own.signal, cancel: end };
}
