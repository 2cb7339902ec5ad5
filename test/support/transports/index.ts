/** The transports between a client and a real server, and how a client can leave on each. */
import type { EventEmitter } from "node:events";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { http1, https1 } from "./http1.ts";
import { http2 } from "./http2.ts";

export interface Transport {
  readonly name: string;
  readonly http2: boolean;
  /** Why the transport does not work on this machine. */
  readonly missing?: string;
  /** How a client can leave while its request is open. */
  readonly leaves: readonly string[];
  /** Returns a server that does not listen yet, so that `serve` can be called first. */
  server(): TransportServer;
}

export interface TransportServer extends AsyncDisposable {
  /** Has the types of HTTP/1, which frameworks expect. */
  readonly server: Server;
  /** The open connections or sessions of the server. */
  readonly connections: ReadonlySet<EventEmitter>;
  /** What open requests occupy: HTTP/1 connections, or HTTP/2 streams. */
  readonly occupied: ReadonlySet<object>;
  listen(listener: Listener): Promise<void>;
  visitor(): Promise<Visitor>;
}

export type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A client with one connection. */
export interface Visitor {
  get(headers?: Record<string, string>): void;
  /** Sends `body`, and announces a length that is greater by `missing`. */
  post(body: string, missing?: number): void;
  /** Sends more of the last request's body. */
  send(text: string): void;
  /** The replies so far, in the order of the requests. */
  readonly replies: readonly Reply[];
  /** Waits for the head of the nth reply. */
  head(nth?: number): Promise<Reply>;
  /** Waits for the whole nth reply. */
  whole(nth?: number): Promise<Reply>;
  /** Whether the server has ended the connection. */
  readonly ended: boolean;
  leave(how: string): void;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the whole reply has arrived. */
  readonly whole: boolean;
  /** Whether the reply has ended early, and looks incomplete. */
  readonly cut: boolean;
}

export const transports: readonly Transport[] = [http1, https1, http2];
