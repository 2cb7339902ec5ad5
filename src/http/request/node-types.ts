/**
 * Node's own types, where the program has them: what a handler's parameters are when nothing else
 * says so. (`createServer` is generic and so tells a function in its argument nothing.) Nobody is
 * made to install `@types/node`: without it the import is ignored and our own description is used.
 */
import type { AnswerLike } from "../respond/respond.ts";
import type { RequestLike } from "./request-end.ts";

/** What cannot be resolved is assignable to everything; asked directly, it would spoil the answer. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type NodeRequest = IfKnown<import("node:http").IncomingMessage, RequestLike>;
/** @ts-ignore */
export type NodeResponse = IfKnown<import("node:http").ServerResponse, AnswerLike>;
