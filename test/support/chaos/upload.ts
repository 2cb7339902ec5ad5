/** The bodies of requests over HTTP/1.1. */
import type { RequestPlan } from "./plan.ts";

/** Returns the content type and the text of a body, which has some characters more than planned. */
export function upload({
  type,
  length,
}: NonNullable<RequestPlan["body"]>): [contentType: string, text: string] {
  const text = "b".repeat(length);
  switch (type) {
    case "text":
      return ["text/plain", text];
    case "json":
      return ["application/json", JSON.stringify({ b: text })];
    case "urlencoded":
      return ["application/x-www-form-urlencoded", `b=${text}`];
    case "raw":
      return ["application/octet-stream", text];
    case "multipart":
      return [
        "multipart/form-data; boundary=edge",
        [
          ...["--edge", 'Content-Disposition: form-data; name="b"; filename="b.txt"'],
          ...["Content-Type: text/plain", "", text, "--edge--", ""],
        ].join("\r\n"),
      ];
  }
}
