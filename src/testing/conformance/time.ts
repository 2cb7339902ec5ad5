/** How the tests of the kit wait: for a condition, and never without a limit. */

/** Resolves when the condition holds. Rejects with `message` after `within` milliseconds. */
export async function until(
  message: string,
  condition: () => boolean | PromiseLike<boolean>,
  within: number,
): Promise<void> {
  const giveUp = performance.now() + within;
  while (!(await condition())) {
    if (performance.now() > giveUp) throw new Error(`${message} (waited ${within} ms)`);
    await pause(2);
  }
}

/** Settles as `promise` does. Rejects with `message` if that takes more than `within` milliseconds. */
export async function limited<T>(
  message: string,
  promise: PromiseLike<T>,
  within: number,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${message} (waited ${within} ms)`)), within);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How an operation has ended. */
export type Outcome<T = unknown> = { readonly value: T } | { readonly error: unknown };

/** Resolves with how the promise has ended. */
export async function outcomeOf<T>(promise: PromiseLike<T>): Promise<Outcome<T>> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

/** A promise that the test resolves. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
