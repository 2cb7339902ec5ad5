/**
 * Express' own types, if the program has them: the types of the parameters in `route((ctx, req, res)
 * => …)`. TypeScript cannot infer them there, because `app.get` and its like are generic. Without
 * Express' types the import is ignored, and the interfaces of this package are used.
 */
import type { WritableResponseLike } from "../http/types.ts";
import type { RequestLike } from "../http/index.ts";

/** An unresolved type is assignable to every type, so a direct comparison would succeed wrongly. */
type IfKnown<T, Else> = { is: T } extends { is: { unresolved: never } } ? Else : T;

/* eslint-disable @typescript-eslint/ban-ts-comment, @typescript-eslint/consistent-type-imports -- an error only where the types are missing; on an import statement the comment would be lost */
/** @ts-ignore */
export type AppRequest = IfKnown<import("express").Request, RequestLike>;
/** @ts-ignore */
export type AppResponse = IfKnown<import("express").Response, WritableResponseLike>;
