import { describe, expect, test } from "vitest";
import type { Server } from "../../../servers/server.ts";
import * as services from "./index.ts";
import { ownServers, servicesOf } from "./of-program.ts";
import type { Service } from "./service.ts";

test.each([
  ['import pg from "pg";', ["PostgreSQL"]],
  ['import { withContext } from "eightysix/postgres";', ["PostgreSQL"]],
  ['import mysql from "mysql2/promise";', ["MariaDB"]],
  ['import { withContext } from "eightysix/mariadb";', ["MariaDB"]],
  ['import { createClient } from "redis";\nimport pg from "pg";', ["PostgreSQL", "Redis"]],
  ['import {\n  connect,\n} from "@nats-io/transport-node";', ["NATS"]],
  ['import { background } from "eightysix";', []],
  ['import { randomUUID } from "node:crypto";', []],
  ['import Cursor from "pg-cursor";', []],
  ['console.log("pg");', []],
])("a program with %j needs %j", (code, names) => {
  expect(servicesOf(code, services).map(({ name }) => name)).toEqual(names);
});

describe("servers of a program's own", () => {
  const events: string[] = [];
  function service(name: string, works = true): Service {
    return {
      ...{ name, variable: "", standard: "", drivers: [name] },
      environment: (url) => ({ [`${name}_URL`]: url }),
      use: () => Promise.reject(new Error("not used")),
      start: async () => {
        events.push(`start ${name}`);
        if (!works) throw new Error(`install ${name}`);
        const stop = async () => void events.push(`stop ${name}`);
        return { url: `at ${name}`, stop } as Server;
      },
    };
  }

  test("are started once, when a program needs them, and stopped together", async () => {
    events.length = 0;
    const servers = ownServers();
    const [a, b] = [service("a"), service("b")];
    expect(await servers.environment([])).toEqual({});
    expect(await servers.environment([a])).toEqual({ a_URL: "at a" });
    expect(await servers.environment([a, b])).toEqual({ a_URL: "at a", b_URL: "at b" });
    await expect(servers.environment([service("c", false)])).rejects.toThrow("install c");
    expect(events).toEqual(["start a", "start b", "start c"]);
    await servers.stop();
    expect(events.slice(3)).toEqual(["stop a", "stop b"]);
  });
});
