/** Tells from the bytes of a connection which answers have come whole. */

import type { Answer } from "./stage.ts";

/** HTTP/1.1 without HEAD, 204 and 304. */
export class Answers {
  readonly whole: Answer[] = [];
  /** What is not understood yet: a part of a head or of a chunk's first line. */
  #text = "";
  /** Bytes of a body, a chunk or a line's end that are still to come. */
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

  /** Up to the end of a head or of a line; from where to go on. */
  #readText(bytes: Buffer, from: number): number {
    const had = this.#text.length;
    // A head and a chunk's line are short: more than this belongs to what follows.
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
    // One without a length ends with the connection, as Node's own 400 to half a request does.
    this.#skip = this.#isChunked ? 0 : Number(length ?? Infinity);
    if (this.#skip === 0 && !this.#isChunked) this.#end();
  }

  #readSize(line: string): void {
    const size = line === "" ? -1 : Number.parseInt(line, 16);
    if (size > 0) this.#skip = size + 2;
    else if (size < 0) this.#end(); // the empty line behind the last chunk
  }

  #end(): void {
    this.whole.push({ status: this.#status, at: performance.now() });
    this.#status = 0;
  }
}
