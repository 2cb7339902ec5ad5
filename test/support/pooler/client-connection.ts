/** A client's connection to the pooler, from its login to its end. */
import type { Socket } from "node:net";
import {
  authenticationOk,
  backendKeyData,
  fatalError,
  query,
  readyForQuery,
  sqlOf,
  startupParameters,
  type Key,
  type Message,
} from "./messages.ts";
import type { ServerConnection, ServerOwner } from "./server-connection.ts";

/** How clients get server connections, and when they give them back. */
export interface Pooling {
  /** Resolves with a server for a client that logs in with these parameters or, in transaction mode, for its next transaction. */
  take(startup: Map<string, string>): Promise<ServerConnection>;
  /** Takes an idle server back. Without it, a client keeps its server until it disconnects. */
  readonly giveBack?: ((server: ServerConnection) => void) | undefined;
  /** Takes back the server of a client that has disconnected while its server was busy. */
  discard(server: ServerConnection): void;
}

export class ClientConnection implements ServerOwner {
  /** The texts of all statements that the client has sent. */
  readonly statements: string[] = [];
  /** The server that works for this client now. */
  server: ServerConnection | undefined;
  isClosed = false;
  readonly #socket: Socket;
  readonly #pooling: Pooling;
  readonly #key: Key | undefined;
  readonly #version: number | undefined;
  #startup = new Map<string, string>();
  /** What waits for a server. */
  readonly #queue: Message[] = [];
  #isTaking = false;
  /** How many ReadyForQuery messages the server still owes. */
  #owed = 0;
  /** Whether the client has begun a sequence of messages, and not ended it with Sync. */
  #isOpen = false;

  constructor(socket: Socket, pooling: Pooling, key: Key | undefined, version: number | undefined) {
    this.#socket = socket;
    this.#version = version;
    this.#pooling = pooling;
    this.#key = key;
    socket.on("close", () => this.#onClose());
  }

  async logIn(startupMessage: Buffer): Promise<void> {
    this.#startup = startupParameters(startupMessage);
    const server = await this.#pooling.take(this.#startup);
    this.#send(authenticationOk, ...server.parameters);
    if (this.#key !== undefined) this.#send(backendKeyData(this.#key));
    if (this.#pooling.giveBack !== undefined) this.#pooling.giveBack(server);
    else if (this.isClosed) this.#pooling.discard(server);
    else this.#attach(server);
    this.#send(readyForQuery);
  }

  onClientMessage(message: Message): void {
    if (message.type === "X") {
      this.#socket.destroy();
      return;
    }
    const sql = sqlOf(message);
    if (sql !== undefined) this.statements.push(sql);
    this.#queue.push(sql === undefined ? message : this.#withVersion(message, sql));
    if (this.server !== undefined) this.#flush();
    else void this.#takeServer();
  }

  #withVersion(message: Message, sql: string): Message {
    if (this.#version === undefined || message.type !== "Q") return message;
    const version = `'${this.#version}'`;
    return query(sql.replaceAll("current_setting('server_version_num')", version));
  }

  onServerMessage({ type, bytes }: Message): void {
    this.#send(bytes);
    if (type !== "Z") return;
    this.#owed--;
    const isIdle = bytes.toString("latin1", 5) === "I" && this.#owed === 0 && !this.#isOpen;
    if (!isIdle || this.#pooling.giveBack === undefined || this.server === undefined) return;
    const { server } = this;
    this.server = undefined;
    this.#pooling.giveBack(server);
  }

  onServerClose(): void {
    const { server } = this;
    this.server = undefined;
    if (server !== undefined) this.#pooling.discard(server);
    this.#socket.destroy();
  }

  async #takeServer(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      const server = await this.#pooling.take(this.#startup);
      if (this.isClosed) this.#pooling.giveBack?.(server);
      else this.#attach(server);
    } catch (error) {
      this.#send(fatalError(String(error)));
      this.#socket.destroySoon();
    }
    this.#isTaking = false;
  }

  #attach(server: ServerConnection): void {
    this.server = server;
    server.owner = this;
    this.#flush();
  }

  #flush(): void {
    for (const { type, bytes } of this.#queue.splice(0)) {
      const endsSequence = type === "Q" || type === "S" || type === "F";
      if (endsSequence) this.#owed++;
      this.#isOpen = !endsSequence;
      this.server?.send(bytes);
    }
  }

  #send(...messages: Buffer[]): void {
    if (!this.isClosed) this.#socket.write(Buffer.concat(messages));
  }

  #onClose(): void {
    this.isClosed = true;
    const { server } = this;
    this.server = undefined;
    if (server !== undefined) this.#pooling.discard(server);
  }
}
