import type { Socket } from "node:net";

/** Calls `listener` with each line that arrives. (`node:readline` passes on errors of the socket.) */
export function onLines(socket: Socket, listener: (line: string) => void): void {
  let rest = "";
  socket.on("data", (chunk) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) listener(line);
  });
}
