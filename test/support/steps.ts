/**
 * Cancels one operation at every step. The operation runs once for each of its steps, and its context
 * ends at the first step, at the second step, and so on to the last. A step is a message between client
 * and server, the beginning or the end of a piece of work, or an event that the operation reports.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { background, withCancel, type Context, type WorkInfo } from "../../src/index.ts";

export interface Operation<T> {
  /** The relay that its messages pass through. */
  relay?: Relay;
  /** Runs the operation once. `step` reports a step that only the operation can see, such as a row. */
  run(ctx: Context, step: (name: string) => void): Promise<T>;
  /** Called after each run. Throws if the outcome is wrong, or if the run has left something behind. */
  check(outcome: Outcome<T>): Promise<void> | void;
}

export type Outcome<T> = { readonly value: T } | { readonly stopped: unknown };

/** More steps than any operation in the tests has. */
const MAX_STEPS = 500;

/**
 * Cancels the operation at each of its steps. Resolves with the names of all steps, in the order in
 * which a run that was not canceled reports them. Every other run must either reject with its context's
 * own error or succeed, if it was faster than its cancellation.
 */
export async function cancelAtEveryStep<T>(operation: Operation<T>): Promise<string[]> {
  const { relay } = operation;
  for (let last = 0; last < MAX_STEPS; last++) {
    using ctx = withCancel(background());
    const steps: string[] = [];
    const step = (name: string): void => {
      steps.push(name);
      if (steps.length === last + 1) ctx.cancel(new Error(`at step ${last}, ${name}`));
    };
    const onStart = (work: unknown): void => step(`${(work as WorkInfo).kind} begins`);
    const onEnd = (message: unknown): void =>
      step(`${(message as { work: WorkInfo }).work.kind} ends`);
    subscribe("eightysix:work.start", onStart);
    subscribe("eightysix:work.end", onEnd);
    if (relay !== undefined) relay.onMessage = step;
    const outcome = await operation.run(ctx, step).then(
      (value) => ({ value }),
      (error: unknown) => ({ stopped: error }),
    );
    unsubscribe("eightysix:work.start", onStart);
    unsubscribe("eightysix:work.end", onEnd);
    if (relay !== undefined) relay.onMessage = undefined;
    const at = `canceled at ${String(ctx.err()?.cause)}`;
    if ("stopped" in outcome) expect(outcome.stopped, at).toBe(ctx.err());
    try {
      await operation.check(outcome);
    } catch (error) {
      throw new Error(`the check failed after the run was ${at}: ${String(error)}`, {
        cause: error,
      });
    }
    if (steps.length <= last) return steps;
  }
  throw new Error(`more than ${MAX_STEPS} steps`);
}

export interface Relay {
  readonly host: string;
  readonly port: number;
  /** Called with the name of each message before it is passed on. */
  onMessage: ((name: string) => void) | undefined;
}

/**
 * Returns the name and the length of the first message in `bytes`, or `undefined` if it has not arrived
 * completely. `isFirst` says whether it is the first message of this side on its connection.
 */
export type Split = (
  bytes: Buffer,
  from: "client" | "server",
  isFirst: boolean,
) => { readonly name: string; readonly length: number } | undefined;

/**
 * Starts a TCP relay to `target` that ends with the test. It passes on one message at a time. The next
 * message follows after one turn of the event loop, so that the effects of the first one come before.
 */
export async function startRelay(
  target: { host: string; port: number },
  split: Split,
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const relay: { onMessage: Relay["onMessage"] } = { onMessage: undefined };
  const server = createServer((near) => {
    const far = connect(target);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true).on("error", () => undefined);
    }
    const pass = (from: Socket, to: Socket, side: "client" | "server"): void => {
      let bytes = Buffer.alloc(0);
      let isFirst = true;
      let last = Promise.resolve();
      const next = async (): Promise<void> => {
        for (let message; (message = split(bytes, side, isFirst)) !== undefined;) {
          isFirst = false;
          const whole = bytes.subarray(0, message.length);
          bytes = bytes.subarray(message.length);
          relay.onMessage?.(`${side}: ${message.name}`);
          if (to.writable) to.write(whole);
          await new Promise((resolve) => setImmediate(resolve));
        }
      };
      from.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        last = last.then(next);
      });
      from.on("end", () => void last.then(() => to.end()));
      from.on("close", () => void last.then(() => to.destroySoon()));
    };
    pass(near, far, "client");
    pass(far, near, "server");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(relay, { host: "127.0.0.1", port });
}

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

/** Takes each chunk for a message, for protocols whose messages do not matter. */
export const chunks: Split = (bytes) =>
  bytes.length === 0 ? undefined : { name: "chunk", length: bytes.length };
