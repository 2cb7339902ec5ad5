/** One service, in a process of its own: `service.js front|back <arm> [<url of B>]`. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { arms } from "./arms.ts";
import { Resource } from "./resource.ts";

const [which, index, url = ""] = process.argv.slice(2);
const arm = arms[Number(index)];
if (arm === undefined) throw new Error(`there is no arm ${index}`);

/**
 * A second service answers requests to /warm, so that the measured one learns nothing from them.
 */
const resource = new Resource();
const [warm, work] =
  which === "front"
    ? [arm.front(url), arm.front(url)]
    : [arm.back(new Resource()), arm.back(resource)];
const listener: RequestListener = (req, res) => {
  const answer = req.url?.startsWith("/warm") ? warm : work;
  answer(req, res);
};

const server = createServer(listener).listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
server.keepAliveTimeout = 60_000;
process.on("message", () => process.send?.(resource.held()));
process.on("disconnect", () => process.exit(0));
