/** Asks Redis what it runs, for all of its drivers. */
import { randomUUID } from "node:crypto";
import { createClient } from "redis";
import type { Bare } from "./driver.ts";

export interface Observer {
  readonly server: string;
  /** The name of the driver's connections (CLIENT SETNAME) and keys. */
  readonly name: string;
  /** Returns whether one of these connections waits in a blocking command. */
  readonly blocked: () => Promise<boolean>;
  readonly bare: Bare;
  readonly close: () => Promise<unknown>;
}

export async function observe(url: string): Promise<Observer> {
  const name = `eightysix_bench_${randomUUID()}`;
  const client = createClient({ url });
  const control = createClient({ url });
  const idle = createClient({ url });
  const all = [client, control, idle];
  for (const one of all) {
    one.on("error", () => undefined);
    await one.connect();
  }
  const version = /redis_version:(\S+)/.exec(await client.info("server"))?.[1] ?? "";
  const id = String(await idle.clientId());
  return {
    server: `Redis ${version}`,
    name,
    async blocked() {
      const list: string = await client.sendCommand(["CLIENT", "LIST"]);
      // The flag b means that the connection waits in a blocking command.
      return list
        .split("\n")
        .some((line) => line.includes(` name=${name} `) && / flags=\w*b/.test(line));
    },
    bare: {
      what: "CLIENT UNBLOCK of a connection that is not blocked, on an open connection",
      cancel: () => control.sendCommand(["CLIENT", "UNBLOCK", id, "ERROR"]),
    },
    close() {
      for (const one of all) one.destroy();
      return Promise.resolve();
    },
  };
}
