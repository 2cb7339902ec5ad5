/** Headers that Node has created and not sent. pipelined.test.ts has those of a real server. */
import { expect, test } from "vitest";
import { LastResponse } from "./last-response.ts";

const announced = (data: string) => {
  const response = { headersSent: true, outputData: [{ data }], _last: false };
  new LastResponse(response, false);
  return [response.outputData[0]?.data, response._last];
};
const start = "HTTP/1.1 200 OK\r\nConnection: keep-alive";

test("headers that are whole announce the end of the connection, and the body stays", () => {
  expect(announced(`${start}\r\nKeep-Alive: timeout=5\r\n\r\nConnection: keep-alive`)).toEqual([
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nConnection: keep-alive",
    true,
  ]);
});

test.each([start, `${start}, other`, `HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n`])(
  "headers that are not whole, or not those of Node, stay as they are (%j)",
  (data) => {
    expect(announced(data)).toEqual([data, false]);
  },
);
