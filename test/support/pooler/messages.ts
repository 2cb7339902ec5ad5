/** PostgreSQL's protocol, as a pooler reads and writes it. */
import { postgresMessages, type Side } from "../../../src/testing/conformance/index.ts";

export interface Message {
  /** The letter of the protocol, or "" for a message without one, which a client sends first. */
  readonly type: string;
  /** The whole message. */
  readonly bytes: Buffer;
}

/** What a client can send first. https://www.postgresql.org/docs/current/protocol-message-formats.html */
export const CANCEL_REQUEST = 80877102;
const STARTUP_MESSAGE = 3; // the major version of the protocol, in the upper half

/** Splits what one side of a connection sends. */
export class MessageReader {
  readonly #from: Side;
  #rest = Buffer.alloc(0);
  #hasStarted: boolean;

  constructor(from: Side) {
    this.#from = from;
    this.#hasStarted = from === "server";
  }

  /** Returns the messages that are complete now. */
  add(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const next = postgresMessages(this.#rest, this.#from, !this.#hasStarted);
      if (next === undefined) return messages;
      const bytes = this.#rest.subarray(0, next.length);
      this.#rest = this.#rest.subarray(next.length);
      messages.push({ type: this.#hasStarted ? next.name : "", bytes });
      // A client may ask for encryption before it sends its startup message.
      if (!this.#hasStarted) this.#hasStarted = bytes.readInt16BE(4) === STARTUP_MESSAGE;
    }
  }
}

/** Returns the SQL of a Query or Parse message, or `undefined` for any other message. */
export function sqlOf({ type, bytes }: Message): string | undefined {
  const parts = bytes.toString("utf8", 5).split("\0");
  if (type === "Q") return parts[0];
  return type === "P" ? parts[1] : undefined; // the first is the name of the statement
}

/** Returns the parameters of a startup message. */
export function startupParameters(bytes: Buffer): Map<string, string> {
  const parts = bytes.toString("utf8", 8).split("\0");
  const parameters = new Map<string, string>();
  for (let i = 0; i + 1 < parts.length && parts[i] !== ""; i += 2) {
    parameters.set(parts[i] ?? "", parts[i + 1] ?? "");
  }
  return parameters;
}

export const authenticationOk = message("R", int32(0));
export const readyForQuery = message("Z", Buffer.from("I"));

export function parameterStatus(name: string, value: string): Buffer {
  return message("S", Buffer.from(`${name}\0${value}\0`));
}

export function backendKeyData({ pid, secret }: Key): Buffer {
  return message("K", Buffer.concat([int32(pid), int32(secret)]));
}

export function fatalError(text: string): Buffer {
  return message("E", Buffer.from(`SFATAL\0VFATAL\0C08006\0M${text}\0\0`));
}

export function query(sql: string): Message {
  return { type: "Q", bytes: message("Q", Buffer.from(`${sql}\0`)) };
}

export function cancelRequest({ pid, secret }: Key): Buffer {
  return Buffer.concat([int32(16), int32(CANCEL_REQUEST), int32(pid), int32(secret)]);
}

/** What a CancelRequest names its backend by. */
export interface Key {
  readonly pid: number;
  readonly secret: number;
}

export function keyOf(cancelRequest: Buffer): Key {
  return { pid: cancelRequest.readInt32BE(8), secret: cancelRequest.readInt32BE(12) };
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(4 + body.length), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}
