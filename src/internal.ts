/**
 * The part of the core that integrations may use beyond the public root. It is not an entry point
 * of the package: only files in src import it.
 */
export { channel } from "./core/channels.ts";
export { checkContext, contextHint } from "./core/check-context.ts";
export { canEnd, isFinished } from "./core/context-state.ts";
export { checkDuration, checkFunction, checkLimit, checkOptions } from "./core/check.ts";
export { callAt, now } from "./core/clock.ts";
export { descendsFrom } from "./core/descends-from.ts";
export { isDevelopment } from "./core/development.ts";
export { DoneListener } from "./core/done-listener.ts";
export { LONGEST_CHAIN } from "./core/errors.ts";
export { describe, isInstance, readProperty } from "./core/foreign-value.ts";
export { classOf, show } from "./core/show.ts";
export { cleanUp } from "./tasks/within.ts";
export { isUserFrame, recordStack } from "./core/user-stack.ts";
export { warn } from "./core/warn.ts";
export { warnOnce } from "./core/warn-once.ts";
export { callerStack } from "./work/call-site.ts";
export {
  framesOfProgram,
  isOfPackage,
  programStack,
  userStack,
  type AnyFunction,
} from "./work/caller.ts";
export { describeFailure } from "./work/describe-failure.ts";
export { CURRENT } from "./work/current-storage.ts";
export { finishRequest } from "./work/left-behind.ts";
export { ledgerOf, openLedger } from "./work/ledger.ts";
export { shieldsOf, type Shields } from "./work/outlive.ts";
export { reportWithoutContext } from "./work/without-context.ts";
export { enterCall } from "./work/wrong-context.ts";
export type { OutlivingWork } from "./work/outliving-work.ts";
export { siteOf, type Ledger } from "./work/record.ts";
