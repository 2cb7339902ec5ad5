/**
 * A tiny database server, for the tests of the conformance kit. Its protocol consists of lines. The
 * server answers each command with `OK …` or `ERR …`, and greets a connection with `HELLO <pid>`.
 *
 * - `SLEEP <ms> <i> <tag>` works for a while and answers `OK <i>`.
 * - `ROWS <count> <ms> <batch> <tag>` sends `ROW <n>`, and after each batch `MORE`. Then it waits for
 *   `NEXT` or `CLOSE`.
 * - `FAIL` fails. `BEGIN`, `COMMIT`, `ROLLBACK` and `WRITE <n>` do what they say.
 * - `STOP <pid>`, on a connection of its own, stops what that connection does. The server then
 *   closes the connection of the request. A connection that does nothing drops the request.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { onLines } from "./lines.ts";

export class ToyServer {
  readonly host = "127.0.0.1";
  readonly sessions = new Map<number, ToySession>();
  #committed: number[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => new ToySession(this, socket));
  }

  static async start(): Promise<ToyServer> {
    const toy = new ToyServer();
    await new Promise<void>((resolve) => toy.#server.listen(0, toy.host, resolve));
    return toy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  isRunning(tag: string): boolean {
    return [...this.sessions.values()].some((session) => session.runningTag === tag);
  }

  commit(numbers: readonly number[]): void {
    this.#committed.push(...numbers);
  }

  /** Returns the numbers that were committed since the last call. */
  takeCommitted(): number[] {
    return this.#committed.splice(0);
  }

  openTransactions(): number {
    return [...this.sessions.values()].filter((session) => session.isInTransaction).length;
  }

  close(): void {
    for (const session of this.sessions.values()) session.destroy();
    this.#server.close();
  }
}

let pids = 0;

/** One connection, and the operation that runs there. The operation outlives a broken connection. */
class ToySession {
  runningTag: string | undefined;
  readonly #server: ToyServer;
  readonly #socket: Socket;
  readonly #pid = ++pids;
  #written: number[] | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Answers `NEXT` and `CLOSE` while the client reads rows. */
  #onNext: ((command: string) => void) | undefined;
  #isOpen = true;

  constructor(server: ToyServer, socket: Socket) {
    this.#server = server;
    this.#socket = socket;
    server.sessions.set(this.#pid, this);
    socket.setNoDelay(true).on("error", () => undefined);
    socket.once("close", () => {
      this.#isOpen = false;
      this.#written = undefined;
      this.#onNext = undefined;
      if (this.#timer === undefined) server.sessions.delete(this.#pid);
    });
    onLines(socket, (line) => this.#execute(line));
    this.#send(`HELLO ${this.#pid}`);
  }

  get isInTransaction(): boolean {
    return this.#written !== undefined;
  }

  stop(): void {
    if (this.#timer === undefined && this.#onNext === undefined) return;
    this.#onNext = undefined;
    this.#finish("ERR stopped");
  }

  destroy(): void {
    clearTimeout(this.#timer);
    this.#socket.destroy();
  }

  #execute(line: string): void {
    const [command = "", ...words] = line.split(" ");
    const [first = 0, second = 0, third = 0] = words.map(Number);
    const tag = words.at(-1) ?? "";
    if (command === "SLEEP") this.#work(first, tag, () => this.#finish(`OK ${second}`));
    else if (command === "ROWS") this.#rows(1, first, second, third, tag);
    else if (command === "NEXT" || command === "CLOSE") this.#onNext?.(command);
    else if (command === "FAIL") this.#send("ERR failed");
    else if (command === "STOP") {
      this.#server.sessions.get(first)?.stop();
      this.#socket.end();
    } else {
      if (command === "BEGIN") this.#written = [];
      if (command === "WRITE") {
        if (this.#written === undefined) this.#server.commit([first]);
        else this.#written.push(first);
      }
      if (command === "COMMIT") this.#server.commit(this.#written ?? []);
      if (command === "COMMIT" || command === "ROLLBACK") this.#written = undefined;
      this.#send("OK");
    }
  }

  #rows(n: number, count: number, ms: number, batch: number, tag: string): void {
    if (n > count) this.#finish("OK");
    else {
      this.#work(ms, tag, () => {
        this.#send(`ROW ${n}`);
        if (n % batch !== 0) {
          this.#rows(n + 1, count, ms, batch, tag);
          return;
        }
        this.runningTag = undefined;
        this.#onNext = (command) => {
          this.#onNext = undefined;
          if (command === "NEXT") this.#rows(n + 1, count, ms, batch, tag);
          else this.#finish("OK");
        };
        this.#send("MORE");
      });
    }
  }

  #work(ms: number, tag: string, then: () => void): void {
    this.runningTag = tag;
    if (ms === 0) then();
    else {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        then();
      }, ms);
    }
  }

  #finish(answer: string): void {
    clearTimeout(this.#timer);
    this.#timer = this.runningTag = undefined;
    if (!this.#isOpen) this.#server.sessions.delete(this.#pid);
    this.#send(answer);
  }

  #send(line: string): void {
    if (this.#socket.writable) this.#socket.write(`${line}\n`);
  }
}
