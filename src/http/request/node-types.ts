/**
 * Node's own types, if the program has them. They are the types of a handler's parameters if
 * nothing else determines those. (`createServer` is generic, so it determines nothing for a
 * function in its argument.) Without `@types/node`, the import is ignored and this package's own
 * interfaces are used.
 */
import type { RequestLike, WritableResponseLike } from "../types.ts";

/** An unresolved type is assignable to every type, so a direct comparison would succeed wrongly. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type NodeRequest = IfKnown<import("node:http").IncomingMessage, RequestLike>;
/** @ts-ignore */
export type NodeResponse = IfKnown<import("node:http").ServerResponse, WritableResponseLike>;
