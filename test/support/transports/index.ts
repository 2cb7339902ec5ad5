/** The ways a request can take to a real server, and how its client may leave on each. */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { http1, https1 } from "./http1.ts";
import { http2 } from "./http2.ts";

export interface Transport {
  readonly name: string;
  readonly http2: boolean;
  /** Why it cannot be had on this machine. */
  readonly missing?: string;
  /** How a client may leave while its request is under way. */
  readonly leaves: readonly string[];
  /** A server that does not listen yet: `serve` wants to see it first. */
  server(): TransportServer;
}

export interface TransportServer extends AsyncDisposable {
  /** With the types of HTTP/1, as frameworks take it. */
  readonly server: Server;
  /** The connections, or sessions, as the server has them. */
  readonly connections: ReadonlySet<EventEmitter>;
  /** What requests occupy: connections of HTTP/1, streams of HTTP/2. */
  readonly occupied: ReadonlySet<object>;
  listen(listener: Listener): Promise<void>;
  visitor(): Promise<Visitor>;
}

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A client with one connection. */
export interface Visitor {
  get(headers?: Record<string, string>): void;
  /** Announces a body of the length of `body` and `missing` more. */
  post(body: string, missing?: number): void;
  /** More of the last request's body. */
  send(text: string): void;
  /** What has come in so far, in the order of the requests. */
  readonly replies: readonly Reply[];
  /** The nth reply, once its head is there. */
  head(nth?: number): Promise<Reply>;
  /** The nth reply, once all of it is there. */
  whole(nth?: number): Promise<Reply>;
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  leave(how: string): void;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether all of it has come. */
  readonly whole: boolean;
  /** Whether it has ended before, and looks so. */
  readonly cut: boolean;
}

export const transports: readonly Transport[] = [http1, https1, http2];
