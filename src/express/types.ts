/**
 * Express' own types, where the program has them: what `route`'s parameters are when nothing else
 * says so. (`app.get` and its like are generic and so tell a function in their argument nothing.)
 * Without them the import is ignored and our own description is used.
 */
import type { WritableResponseLike } from "../http/types.ts";
import type { RequestLike } from "../http/index.ts";

/** What cannot be resolved is assignable to everything; asked directly, it would spoil the answer. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type AppRequest = IfKnown<import("express").Request, RequestLike>;
/** @ts-ignore */
export type AppResponse = IfKnown<import("express").Response, WritableResponseLike>;
