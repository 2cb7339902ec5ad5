/** How the relay splits what a connection carries into messages. */

/** What the relay passes on: a `Buffer` of Node, in the parts that a description may need. */
export interface Bytes extends Uint8Array {
  toString(encoding?: "latin1" | "utf8"): string;
  includes(value: string | number, offset?: number): boolean;
  indexOf(value: string | number, offset?: number): number;
  readInt32BE(offset?: number): number;
  readInt32LE(offset?: number): number;
  readUIntLE(offset: number, byteLength: number): number;
}

/** One side of a connection: the driver that opened it, or the server. */
export type Side = "client" | "server";

/**
 * Returns the name and the length of the first message in `bytes`, or `undefined` if it has not arrived
 * completely. `isFirst` says whether it is the first message of this side on its connection.
 */
export type Split = (
  bytes: Bytes,
  from: Side,
  isFirst: boolean,
) => { readonly name: string; readonly length: number } | undefined;

/** Splits PostgreSQL's protocol: https://www.postgresql.org/docs/current/protocol-message-formats.html */
export const postgresMessages: Split = (bytes, from, isFirst) => {
  // The client's first message on a connection has no type.
  const start = from === "client" && isFirst ? 0 : 1;
  if (bytes.length < start + 4) return undefined;
  const length = start + bytes.readInt32BE(start);
  if (bytes.length < length) return undefined;
  return { name: start === 0 ? "first" : String.fromCharCode(bytes[0] ?? 0), length };
};

/** Splits MySQL's protocol: https://mariadb.com/docs/server/reference/clientserver-protocol/0-packet */
export const mysqlPackets: Split = (bytes) => {
  if (bytes.length < 4) return undefined;
  const length = 4 + bytes.readUIntLE(0, 3);
  if (bytes.length < length) return undefined;
  return { name: `packet ${bytes[3]}`, length };
};

/** Splits protocols whose messages are lines. */
export const lines: Split = (bytes) => {
  const end = bytes.indexOf("\n");
  if (end === -1) return undefined;
  const [name = ""] = bytes.toString("latin1").slice(0, end).split(/\s/, 1);
  return { name, length: end + 1 };
};

/** Takes each chunk for a message, for protocols whose messages do not matter. */
export const chunks: Split = (bytes) =>
  bytes.length === 0 ? undefined : { name: "chunk", length: bytes.length };
