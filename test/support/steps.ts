/**
 * Cancels one operation at every point: runs it again and again, and ends its context at the 1st,
 * the 2nd, … the last step that can be seen. A step is a message on its way between client and
 * server, a work that begins or ends, and what the operation itself calls one.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished } from "vitest";
import { background, withCancel, type Context, type WorkInfo } from "../../src/index.ts";

export interface Operation<T> {
  /** Where its messages pass. */
  relay?: Relay;
  /** One run; `step` tells of a step that only it can see, such as a row. */
  run(ctx: Context, step: (name: string) => void): Promise<T>;
  /** After each run: is the result right, and is everything as it was before? */
  check(outcome: Outcome<T>): Promise<void> | void;
}

export type Outcome<T> = { readonly value: T } | { readonly stopped: unknown };

/** Far more than any operation of ours takes. */
const MOST_STEPS = 500;

/**
 * Resolves with the names of the steps of the run that nothing stopped. Each other run must reject
 * with its context's own error, or have been faster.
 */
export async function cancelAtEveryStep<T>(operation: Operation<T>): Promise<string[]> {
  const { relay } = operation;
  for (let last = 0; last < MOST_STEPS; last++) {
    using ctx = withCancel(background());
    const steps: string[] = [];
    const step = (name: string): void => {
      steps.push(name);
      if (steps.length === last + 1) ctx.cancel(new Error(`at step ${last}, ${name}`));
    };
    const begins = (work: unknown): void => step(`${(work as WorkInfo).kind} begins`);
    const ends = (message: unknown): void =>
      step(`${(message as { work: WorkInfo }).work.kind} ends`);
    subscribe("eightysix:work.start", begins);
    subscribe("eightysix:work.end", ends);
    if (relay !== undefined) relay.onMessage = step;
    const outcome = await operation.run(ctx, step).then(
      (value) => ({ value }),
      (error: unknown) => ({ stopped: error }),
    );
    unsubscribe("eightysix:work.start", begins);
    unsubscribe("eightysix:work.end", ends);
    if (relay !== undefined) relay.onMessage = undefined;
    const at = `canceled at ${String(ctx.err()?.cause)}`;
    if ("stopped" in outcome) expect(outcome.stopped, at).toBe(ctx.err());
    try {
      await operation.check(outcome);
    } catch (error) {
      throw new Error(`not whole after it was ${at}: ${String(error)}`, { cause: error });
    }
    if (steps.length <= last) return steps;
  }
  throw new Error(`more than ${MOST_STEPS} steps`);
}

export interface Relay {
  readonly host: string;
  readonly port: number;
  /** Called with the name of each message before it is passed on. */
  onMessage: ((name: string) => void) | undefined;
}

/** Cuts what has come so far into messages, and says how many bytes they are; see `postgresMessages`. */
export type Split = (
  bytes: Buffer,
  from: "client" | "server",
  isFirst: boolean,
) => { readonly name: string; readonly length: number } | undefined;

/**
 * Starts a TCP relay that ends with the test and passes messages on one at a time, each when the
 * one before has had time to have its effects.
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

/** https://www.postgresql.org/docs/current/protocol-message-formats.html */
export const postgresMessages: Split = (bytes, from, isFirst) => {
  // The first of a connection has no type.
  const start = from === "client" && isFirst ? 0 : 1;
  if (bytes.length < start + 4) return undefined;
  const length = start + bytes.readInt32BE(start);
  if (bytes.length < length) return undefined;
  return { name: start === 0 ? "first" : String.fromCharCode(bytes[0] ?? 0), length };
};

/** https://mariadb.com/docs/server/reference/clientserver-protocol/0-packet */
export const mysqlPackets: Split = (bytes) => {
  if (bytes.length < 4) return undefined;
  const length = 4 + bytes.readUIntLE(0, 3);
  if (bytes.length < length) return undefined;
  return { name: `packet ${bytes[3]}`, length };
};

/** Whatever came at once: for protocols whose messages do not matter. */
export const chunks: Split = (bytes) =>
  bytes.length === 0 ? undefined : { name: "chunk", length: bytes.length };
