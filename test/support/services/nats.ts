import { connect } from "node:net";
import { natsMissing, startNats } from "../../../servers/nats.ts";
import { ANSWER, type Lease, type Service } from "./service.ts";

export const nats: Service = {
  name: "NATS",
  missing: natsMissing,
  variable: "EIGHTYSIX_TEST_NATS_URL",
  standard: "nats://127.0.0.1:4222",
  drivers: ["nats", "@nats-io"],
  environment: (url) => ({ NATS_URL: url }),
  // There is nothing to create: a test chooses names that no other test has.
  async use(url): Promise<Lease> {
    await ping(url);
    return { url, end: () => Promise.resolve() };
  },
  start: startNats,
};

/**
 * Asks for a PONG, which a server sends only after it has accepted the CONNECT. The server speaks
 * first: https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
async function ping(url: string): Promise<void> {
  const { hostname, port, username, password } = new URL(url);
  const [user, pass] = [username, password].map(decodeURIComponent);
  const options = { verbose: false, pedantic: false, ...(user && { user, pass }) };
  const socket = connect(Number(port || 4222), hostname);
  const late = setTimeout(() => socket.destroy(new Error("the server does not answer")), ANSWER);
  try {
    let received = "";
    for await (const chunk of socket.setEncoding("utf8")) {
      if (received === "") socket.write(`CONNECT ${JSON.stringify(options)}\r\nPING\r\n`);
      received += String(chunk);
      if (/^PONG\r$/m.test(received)) return;
      const refused = /^-ERR (.*)\r$/m.exec(received);
      if (refused) throw new Error(`the server refuses: ${refused[1] ?? ""}`);
    }
    throw new Error("the server closed the connection");
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}
