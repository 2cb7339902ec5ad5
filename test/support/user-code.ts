/** Calls `fn` from a file that is not part of the package, as the code of a program is. */
export function inUserCode<T>(fn: () => T): T {
  // Not `return fn()`: Bun leaves a function that ends with a call out of the stack.
  const result = fn();
  return result;
}
