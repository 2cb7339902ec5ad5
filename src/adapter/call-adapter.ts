/** Calls into code of an adapter that must not throw. */
import { describe, isInstance, show } from "../internal.ts";

/**
 * Returns the result of `call`. If it throws, reports the error as a process warning and returns
 * `undefined`, because an adapter's mistake must not keep the caller's outcome or end the process.
 */
export function callAdapter<T>(method: string, call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    const { process } = globalThis as { process?: { emitWarning?: EmitWarning } };
    const reason = isInstance(error, Error) ? describe(error) : show(error);
    process?.emitWarning?.(`${method} of an adapter threw: ${reason}`, {
      type: "EightysixWarning",
      code: "EIGHTYSIX_ADAPTER_THREW",
    });
    return undefined;
  }
}

type EmitWarning = (message: string, options: { type: string; code: string }) => void;
