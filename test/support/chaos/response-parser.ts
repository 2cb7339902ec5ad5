/** Parses the bytes of a connection into complete responses. */
import type { ReceivedResponse } from "./stage.ts";

/** HTTP/1.1 without HEAD, 204 and 304. */
export class ResponseParser {
  readonly complete: ReceivedResponse[] = [];
  /** Text that is not parsed yet: a part of a head, or of the first line of a chunk. */
  #text = "";
  /** How many bytes of a body, a chunk or a line end are still missing. */
  #skip = 0;
  #status = 0;
  #isChunked = false;

  read(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, bytes.length - at);
        this.#skip -= skipped;
        at += skipped;
        if (this.#skip === 0 && !this.#isChunked) this.#end();
      } else at = this.#readText(bytes, at);
    }
  }

  /** Reads to the end of a head or of a line. Returns the position after it. */
  #readText(bytes: Buffer, from: number): number {
    const had = this.#text.length;
    // A head and the first line of a chunk are shorter than this.
    this.#text += bytes.toString("latin1", from, from + 4_096);
    const mark = this.#status === 0 ? "\r\n\r\n" : "\r\n";
    const found = this.#text.indexOf(mark);
    if (found < 0) return Math.min(from + 4_096, bytes.length);
    const text = this.#text.slice(0, found);
    this.#text = "";
    if (this.#status === 0) this.#readHead(text);
    else this.#readSize(text);
    return from + found + mark.length - had;
  }

  #readHead(head: string): void {
    this.#status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
    const length = /^content-length: *(\d+)$/im.exec(head)?.[1];
    this.#isChunked = /^transfer-encoding: *chunked$/im.test(head);
    // A response without a length ends with the connection, such as Node's own 400 to an incomplete request.
    this.#skip = this.#isChunked ? 0 : Number(length ?? Infinity);
    if (this.#skip === 0 && !this.#isChunked) this.#end();
  }

  #readSize(line: string): void {
    const size = line === "" ? -1 : Number.parseInt(line, 16);
    if (size > 0) this.#skip = size + 2;
    else if (size < 0) this.#end(); // the empty line after the last chunk
  }

  #end(): void {
    this.complete.push({ status: this.#status, at: performance.now() });
    this.#status = 0;
  }
}
