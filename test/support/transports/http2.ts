/** HTTP/2 over TLS. A visitor has one session, with a stream for each request. */
import { once, type EventEmitter } from "node:events";
import type { Server } from "node:http";
import {
  connect,
  constants,
  createSecureServer,
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Reply, Transport, Visitor } from "./index.ts";
import { portOf, ServerOfSockets, tls, track, unlessTls, VisitorOfReplies } from "./server.ts";

// No half-close: every client that has sent its whole request has half-closed its stream.
const leaves = ["RST_STREAM", "the end of its session", "FIN", "RST"] as const;

export const http2: Transport = {
  name: "HTTP/2",
  http2: true,
  ...unlessTls,
  leaves,
  server: () => new Http2Server(createSecureServer({ ...tls }) as unknown as Server),
};

class Http2Server extends ServerOfSockets {
  readonly occupied: ReadonlySet<EventEmitter>;

  constructor(server: Server) {
    super(server, "session");
    this.occupied = track(server, "stream");
  }

  async visitor(): Promise<Visitor> {
    const port = portOf(this.server);
    const raw = connectTcp({ port, host: "127.0.0.1" });
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    const session = connect(`https://127.0.0.1:${port}`, { createConnection: () => socket });
    await once(session, "connect");
    return new Http2Visitor(session, raw);
  }
}

class Http2Visitor extends VisitorOfReplies {
  readonly replies: Reply[] = [];
  ended = false;
  readonly #session: ClientHttp2Session;
  readonly #raw: Socket;
  #stream: ClientHttp2Stream | undefined;

  constructor(session: ClientHttp2Session, raw: Socket) {
    super();
    this.#session = session.on("error", () => undefined).on("close", () => (this.ended = true));
    this.#raw = raw.on("error", () => undefined);
  }

  #ask(headers: Record<string, string>, body: string | undefined, missing: number): void {
    const stream = this.#session.request(headers, { endStream: body === undefined });
    this.#stream = stream;
    const reply = { status: 0, headers: {}, body: "", whole: false, cut: false };
    this.replies.push(reply);
    stream.on("response", ({ ":status": status, ...rest }) => {
      Object.assign(reply, { status, headers: rest });
    });
    stream.on("data", (chunk) => (reply.body += String(chunk)));
    let ended = false;
    stream.on("end", () => (ended = true));
    stream.on("close", () => {
      reply.whole = ended && stream.rstCode === constants.NGHTTP2_NO_ERROR;
      reply.cut = !reply.whole;
    });
    stream.on("error", () => undefined);
    if (body !== undefined) stream.write(body);
    if (body !== undefined && missing === 0) stream.end();
  }

  get(headers: Record<string, string> = {}): void {
    this.#ask(headers, undefined, 0);
  }

  post(body: string, missing = 0): void {
    const length = String(body.length + missing);
    this.#ask({ ":method": "POST", "content-length": length }, body, missing);
  }

  send(text: string): void {
    this.#stream?.write(text);
  }

  leave(how: (typeof leaves)[number]): void {
    if (how === "RST_STREAM") this.#stream?.close(constants.NGHTTP2_CANCEL);
    else if (how === "the end of its session") this.#session.destroy();
    else if (how === "FIN") this.#raw.destroy();
    else this.#raw.resetAndDestroy();
  }
}
