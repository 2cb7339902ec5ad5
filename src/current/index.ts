/**
 * eightysix/current: the current context, for code that is handed none, such as an ORM.
 *
 * @packageDocumentation
 */
export { currentContext, runWithContext, runWithoutContext } from "./current-context.ts";
