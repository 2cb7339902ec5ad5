/**
 * The clients: a few keep-alive connections, each with one request under way. Written on bare
 * sockets, so that they cost less than what they measure, and run on the other processor.
 */
import { connect } from "node:net";

const port = Number(process.argv[2]);
const CONNECTIONS = 32;
const request = Buffer.from("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");

for (let i = 0; i < CONNECTIONS; i++) {
  const socket = connect(port, "127.0.0.1", () => socket.write(request));
  socket.setNoDelay(true);
  // The answer is short and comes in one piece; a piece that is not the end of one is ignored.
  socket.on("data", (chunk) => {
    if (chunk[chunk.length - 1] === 10) socket.write(request);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => process.exit(0));
}
