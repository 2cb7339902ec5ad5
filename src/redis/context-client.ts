/** The client's commands with a context first, looked up by name when they are first used. */
import { handOver, handOverAll } from "../adapter/index.ts";
import { hasBlockArgument, isBlocking } from "../adapter/redis/is-blocking.ts";
import type { Context } from "../index.ts";
import type { CommandRunner } from "./command-runner.ts";
import type { Client } from "./driver.ts";
import { notCommands } from "./not-commands.ts";

type Members = Record<string, unknown>;
type Method = (...args: unknown[]) => Promise<unknown>;

interface Multi {
  exec(): Promise<unknown>;
  execAsPipeline(): Promise<unknown>;
}

export function contextClient(client: Client, runner: CommandRunner): object {
  const members: Members = handOverAll({
    sendCommand: (ctx: Context, args: readonly unknown[], commandOptions?: object) => {
      const name = String(args[0]).toUpperCase();
      return runner.run(ctx, {
        method: "sendCommand",
        what: name,
        isBlocking: isBlocking(name, () => hasBlockArgument(args)),
        sendOn: (client) => client.sendCommand(args, commandOptions),
      });
    },
    exec: (ctx: Context, multi: Multi) => runner.exec(ctx, "exec", () => multi.exec()),
    execAsPipeline: (ctx: Context, multi: Multi) =>
      runner.exec(ctx, "execAsPipeline", () => multi.execAsPipeline()),
    close: () => runner.close(),
  });
  return lazily(members, (name) =>
    contextMember(name, client as unknown as Members, (client) => client, runner),
  );
}

/** Returns an object with these members. Each other one is created when it is first read. */
function lazily(members: Members, create: (name: string) => unknown): object {
  return new Proxy(members, {
    get: (_, name) => (typeof name === "string" ? (members[name] ??= create(name)) : undefined),
  });
}

/**
 * Returns a member of `object` with a context first, or `undefined` if it is not a command. `object`
 * is the client or one of its modules. `find` returns the same object of another client.
 */
function contextMember(
  name: string,
  object: Members,
  find: (client: Members) => Members,
  runner: CommandRunner,
): unknown {
  if (notCommands.has(name) || name.startsWith("_")) return undefined;
  const member = object[name];
  if (typeof member === "object" && member !== null) {
    const findModule = (client: Members): Members => find(client)[name] as Members;
    return lazily({}, (key) => contextMember(key, member as Members, findModule, runner));
  }
  if (typeof member !== "function") return undefined;
  const callOn = (client: Client, args: unknown[]): Promise<unknown> => {
    const target = find(client as unknown as Members);
    return (target[name] as Method).apply(target, args);
  };
  if (name.endsWith("Iterator")) {
    return (ctx: Context, ...args: unknown[]) =>
      runner.iterate(
        ctx,
        name,
        (client) => callOn(client, args) as unknown as AsyncIterator<unknown>,
      );
  }
  const run = (ctx: Context, ...args: unknown[]): Promise<unknown> =>
    runner.run(ctx, {
      method: name,
      what: name.toUpperCase(),
      isBlocking: isBlocking(name, () => args.some(hasBlockOption)),
      sendOn: (client) => callOn(client, args),
    });
  return handOver(run, name);
}

/** BLOCK is in the last argument of xRead and xReadGroup. */
function hasBlockOption(arg: unknown): boolean {
  return (Object(arg) as { BLOCK?: unknown }).BLOCK !== undefined;
}
