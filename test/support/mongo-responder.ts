/**
 * Stands in for a MongoDB server, because the tests have none. It speaks the wire protocol over TCP
 * with the real driver, holds no data, and answers as a test says. So it shows what the driver sends
 * and how the driver handles an answer. It does not show what a server does.
 * https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
 */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { BSON, type Document } from "mongodb";
import { onTestFinished } from "vitest";

/** One command that arrived. */
export interface Received {
  readonly name: string;
  readonly command: Document;
  /** The number of its connection, in the order in which connections were opened. */
  readonly connection: number;
  /** Whether its connection is closed. */
  readonly gone: boolean;
}

type Answer = Document | Promise<Document>;

export interface Responder {
  readonly url: string;
  /** All commands, except those with which the driver opens and closes a connection. */
  readonly received: readonly Received[];
  /** Returns the received commands of that name. */
  named(name: string): readonly Received[];
  /** Sets the answer to a command. Its default is `{ ok: 1 }`. */
  answer(name: string, answer: (received: Received) => Answer): void;
  /** Answers when the command's session is killed, as MongoDB's manual describes `killSessions`. */
  untilKilled(received: Received): Promise<Document>;
}

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const MORE_TO_COME = 2;

export async function startResponder(): Promise<Responder> {
  const received: Received[] = [];
  const answers = new Map<string, (received: Received) => Answer>();
  const held = new Map<string, Set<() => void>>();
  const sockets = new Set<Socket>();
  let connections = 0;

  const hello = (): Document => ({
    ok: 1,
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    setName: "stand-in",
    me: host,
    hosts: [host],
    primary: host,
    minWireVersion: 0,
    maxWireVersion: 21,
    maxBsonObjectSize: 16 * 2 ** 20,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    logicalSessionTimeoutMinutes: 30,
  });
  const respond = async (command: Document, socket: Socket, connection: number) => {
    const name = Object.keys(command)[0] ?? "";
    if (/^(hello|ismaster)$/i.test(name)) return hello();
    if (name === "endSessions") return { ok: 1 };
    const one = {
      name,
      command,
      connection,
      get gone() {
        return socket.destroyed;
      },
    };
    received.push(one);
    const answer = answers.get(name);
    if (answer !== undefined) return await answer(one);
    if (name === "killSessions") kill(command["killSessions"] as { id: BSON.Binary }[]);
    return { ok: 1 };
  };
  const kill = (sessions: { id: BSON.Binary }[]): void => {
    for (const { id } of sessions) for (const wake of held.get(id.toString("hex")) ?? []) wake();
  };

  const server = createServer((socket) => {
    const connection = connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    let bytes = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 4 && bytes.length >= bytes.readInt32LE(0)) {
        const message = bytes.subarray(0, bytes.readInt32LE(0));
        bytes = bytes.subarray(message.length);
        const [command, flags] = parse(message);
        void respond(command, socket, connection).then((answer) => {
          if ((flags & MORE_TO_COME) === 0 && !socket.destroyed)
            socket.write(reply(message, answer));
        });
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  return {
    url: `mongodb://${host}/?replicaSet=stand-in&serverMonitoringMode=poll`,
    received,
    named: (name) => received.filter((one) => one.name === name),
    answer: (name, answer) => void answers.set(name, answer),
    untilKilled({ command }) {
      const id = (command["lsid"] as { id: BSON.Binary }).id.toString("hex");
      const waiting = held.get(id) ?? new Set();
      held.set(id, waiting);
      return new Promise((resolve) => {
        waiting.add(() => {
          const errmsg = "operation was interrupted";
          resolve({ ok: 0, code: 11601, codeName: "Interrupted", errmsg });
        });
      });
    },
  };
}

function parse(message: Buffer): [command: Document, flags: number] {
  if (message.readInt32LE(12) === OP_QUERY) {
    const document = message.indexOf(0, 20) + 1 + 8; // after the collection name, skip and limit
    return [BSON.deserialize(message.subarray(document)), 0];
  }
  if (message.readInt32LE(12) !== OP_MSG)
    throw new Error("the stand-in does not know this kind of message");
  const flags = message.readUInt32LE(16);
  const command: Document = {};
  for (let at = 20; at < message.length;) {
    const sequence = message[at++] === 1;
    const end = at + message.readInt32LE(at);
    if (!sequence) Object.assign(command, BSON.deserialize(message.subarray(at, end)));
    else {
      const name = message.toString("latin1", at + 4, message.indexOf(0, at + 4));
      const documents: Document[] = [];
      for (let next = at + 5 + name.length; next < end;) {
        const size = message.readInt32LE(next);
        documents.push(BSON.deserialize(message.subarray(next, next + size)));
        next += size;
      }
      command[name] = documents;
    }
    at = end;
  }
  return [command, flags];
}

function reply(to: Buffer, answer: Document): Buffer {
  const old = to.readInt32LE(12) === OP_QUERY;
  const body = BSON.serialize(answer);
  const between = Buffer.alloc(old ? 20 : 5); // flags, cursor, from, count; or flags, kind
  if (old) between.writeInt32LE(1, 16);
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + between.length + body.length, 0);
  header.writeInt32LE(to.readInt32LE(4), 8);
  header.writeInt32LE(old ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([header, between, body]);
}
