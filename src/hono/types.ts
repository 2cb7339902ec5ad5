/** Hono's own context, where the program has its type; see express/types.ts. */
import type { HonoLike } from "./index.ts";

/** What cannot be resolved is assignable to everything; asked directly, it would spoil the answer. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type AppContext = IfKnown<import("hono").Context, HonoLike>;
