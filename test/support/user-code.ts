/** Calls `fn` from a file that is not part of the package, as the code of a program is. */
export function inUserCode<T>(fn: () => T): T {
  return fn();
}
