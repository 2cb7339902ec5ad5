/** A driver for the toy server: connections and a pool, as a driver without contexts has them. */
import { connect, type Socket } from "node:net";
import { onLines } from "./lines.ts";

export interface ToyAddress {
  readonly host: string;
  readonly port: number;
}

/** An error of the server. `code` is what it said. */
export class ToyError extends Error {
  readonly code: string;
  constructor(code: string) {
    super(`the server answered: ${code}`);
    this.code = code;
  }
}

/** The connection broke before the server answered. */
export class ToyConnectionError extends Error {}

export class ToyConnection {
  readonly pid: number;
  isBroken = false;
  readonly #socket: Socket;
  #onLine: ((line: string) => void) | undefined;
  #onBroken: ((error: Error) => void) | undefined;

  private constructor(
    socket: Socket,
    pid: number,
    lines: (listener: (line: string) => void) => void,
  ) {
    this.#socket = socket;
    this.pid = pid;
    lines((line) => this.#onLine?.(line));
    const broken = (): void => {
      this.isBroken = true;
      this.#onBroken?.(new ToyConnectionError("the connection broke"));
    };
    socket.on("close", broken);
  }

  static async open(address: ToyAddress): Promise<ToyConnection> {
    return await new Promise((resolve, reject) => {
      const socket = connect(address.port, address.host);
      let listener: ((line: string) => void) | undefined;
      socket.setNoDelay(true).on("error", () => undefined);
      socket.once("close", () => reject(new ToyConnectionError("could not connect")));
      onLines(socket, (line) => {
        if (listener !== undefined) listener(line);
        else {
          const pid = Number(line.split(" ")[1]);
          resolve(new ToyConnection(socket, pid, (added) => (listener = added)));
        }
      });
    });
  }

  /** Sends a command. Resolves with what follows `OK`. `onLine` receives every other line. */
  async send(command: string, onLine?: (line: string) => void): Promise<string> {
    return await new Promise((resolve, reject) => {
      if (this.isBroken) throw new ToyConnectionError("the connection is broken");
      this.#onBroken = reject;
      this.#onLine = (line) => {
        if (line.startsWith("OK")) resolve(line.slice(3));
        else if (line.startsWith("ERR")) reject(new ToyError(line.slice(4)));
        else onLine?.(line);
      };
      this.write(command);
    });
  }

  write(line: string): void {
    this.#socket.write(`${line}\n`);
  }

  destroy(): void {
    this.isBroken = true;
    this.#socket.destroy();
  }
}

/** Sends a stop request. Resolves when the server has closed the connection of the request. */
export async function stopRequest(address: ToyAddress, pid: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(address.port, address.host);
    socket.on("error", reject);
    socket.once("end", () => {
      resolve();
      socket.destroy();
    });
    socket.once("close", () => reject(new ToyConnectionError("the stop request was lost")));
    socket.resume();
    socket.write(`STOP ${pid}\n`);
  });
}

export class ToyPool {
  readonly address: ToyAddress;
  total = 0;
  readonly idle: ToyConnection[] = [];
  readonly waiting: (() => void)[] = [];
  readonly #all = new Set<ToyConnection>();
  readonly #max: number;

  constructor(address: ToyAddress, max: number) {
    this.address = address;
    this.#max = max;
  }

  async take(): Promise<ToyConnection> {
    for (;;) {
      const connection = this.idle.pop();
      if (connection?.isBroken === true) this.#forget(connection);
      else if (connection !== undefined) return connection;
      else if (this.total < this.#max) return await this.#open();
      else await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  giveBack(connection: ToyConnection): void {
    if (connection.isBroken) this.#forget(connection);
    else this.idle.push(connection);
    this.waiting.shift()?.();
  }

  end(): void {
    for (const connection of this.#all) connection.destroy();
  }

  async #open(): Promise<ToyConnection> {
    this.total++;
    try {
      const connection = await ToyConnection.open(this.address);
      this.#all.add(connection);
      return connection;
    } catch (error) {
      this.total--;
      this.waiting.shift()?.();
      throw error;
    }
  }

  #forget(connection: ToyConnection): void {
    this.total--;
    this.#all.delete(connection);
  }
}
