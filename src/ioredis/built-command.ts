/** Commands that the driver has built and not sent. */
import { hasBlockArgument, isBlocking } from "../adapter/redis/is-blocking.ts";
import { withdraw, type Client, type Command } from "./driver.ts";

/** The error of a withdrawn command. Its caller gets `ctx.err()` instead. */
export const withdrawn = new Error("withdrawn");

/** An object that looks like the client, and records what it would send. */
interface Recorder {
  record(command: Command): void;
}

/**
 * Returns the prototype of all recorders for a client. To create each of them from the client itself
 * would cost more than sending the command.
 */
export function recorderOf(client: Client): object {
  return Object.create(client, {
    // Automatic pipelining would put the command into a pipeline with others.
    options: {
      value: Object.create(client.options, { enableAutoPipelining: { value: false } }) as object,
    },
    sendCommand: {
      value(this: Recorder, command: Command) {
        this.record(command);
        return command.promise;
      },
    },
  }) as object;
}

/** A command that was built by calling its method on a recorder. */
export class BuiltCommand {
  readonly #client: Client;
  readonly #command: Command;
  readonly #answer: Promise<unknown>;
  #secondCommand: Command | undefined;
  #sentOn: Client | undefined;

  /** Throws a TypeError if the method sends no command. */
  constructor(client: Client, recorder: object, method: string, args: unknown[]) {
    this.#client = client;
    let command: Command | undefined;
    const own = Object.create(recorder) as Recorder;
    own.record = (built) => {
      if (command === undefined) command = built;
      else this.#sendSecond(built);
    };
    this.#answer = callMethod(own, method, args) as Promise<unknown>;
    if (command === undefined) {
      throw new TypeError(`${method} is not a command; call it on the client itself`);
    }
    this.#command = command;
    this.#answer.catch(() => undefined); // until `send` returns it
  }

  get name(): string {
    return this.#command.name;
  }

  get isBlocking(): boolean {
    const { name, args } = this.#command;
    return isBlocking(name, () => hasBlockArgument(args));
  }

  readonly send = (client: Client): Promise<unknown> => {
    this.#sentOn = client;
    client.sendCommand(this.#command);
    return this.#answer;
  };

  readonly withdraw = (): void => {
    withdraw(this.#client, this.#secondCommand ?? this.#command, withdrawn);
  };

  /** If the server does not know a script by its hash, the driver sends its source. */
  #sendSecond(command: Command): void {
    this.#secondCommand = command;
    this.#sentOn?.sendCommand(command);
  }
}

export function callMethod(object: object, method: string, args: unknown[]): unknown {
  const member = (object as Record<string, unknown>)[method];
  return Reflect.apply(member as (...args: unknown[]) => unknown, object, args);
}
