/**
 * The clients: a few keep-alive connections, each with one request under way. They use bare
 * sockets, so that they cost less than the server, and run on the other CPU.
 */
import { connect } from "node:net";

const port = Number(process.argv[2]);
const CONNECTIONS = 32;
const request = Buffer.from("GET / HTTP/1.1\r\nHost: bench\r\n\r\n");

for (let i = 0; i < CONNECTIONS; i++) {
  const socket = connect(port, "127.0.0.1", () => socket.write(request));
  socket.setNoDelay(true);
  // The response is short and comes in one chunk. A chunk that does not end one is ignored.
  socket.on("data", (chunk) => {
    if (chunk[chunk.length - 1] === 10) socket.write(request);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => process.exit(0));
}
