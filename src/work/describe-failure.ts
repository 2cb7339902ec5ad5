import { describe, isInstance } from "../core/foreign-value.ts";
import { programStack } from "./caller.ts";

/**
 * Describes an error for a warning, like `describe`. Its stack begins and ends at the program if it
 * leads there. Never throws.
 */
export function describeFailure(error: unknown): string {
  const text = describe(error);
  const stack = isInstance(error, Error)
    ? programStack({ name: "", message: "", stack: text })
    : undefined;
  return stack === undefined ? text : `${text.split(/\n\s+at /, 1)[0]}\n${stack}`;
}
