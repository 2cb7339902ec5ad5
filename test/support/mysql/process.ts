/** Runs a program that cancels a statement and ends its pool. The process must then exit by itself. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { describeServers } from "./servers.ts";

const programs = {
  mysql2: `import mysql from "mysql2/promise";
    const make = (url) => mysql.createPool(url);`,
  mariadb: `import mariadb from "mariadb";
    const make = (url) => {
      const { hostname, port, username, password, pathname } = new URL(url);
      const account = { user: username, password: decodeURIComponent(password) };
      const host = { host: hostname, port: Number(port || 3306) };
      return mariadb.createPool({ ...host, ...account, database: pathname.slice(1) });
    };`,
};

export function describeProcess(name: keyof typeof programs): void {
  describeServers(`a process with eightysix/${name}`, (server) => {
    test("exits when its pool has ended, although a kill connection is open", async () => {
      const directory = mkdtempSync(join(tmpdir(), "eightysix-"));
      onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
      const outfile = join(directory, "program.mjs");
      const root = fileURLToPath(new URL("../../../", import.meta.url));
      await build({
        stdin: {
          contents: `${programs[name]}
            import { background, withCancel } from "./src/index.ts";
            import { withContext } from "./src/${name}/index.ts";
            const pool = make(process.env.URL_OF_SERVER);
            const ctx = withCancel(background());
            const work = withContext(pool).query(ctx, "select sleep(60)");
            setTimeout(() => ctx.cancel(), 200);
            await work.catch((error) => console.log(error === ctx.err()));
            await pool.end();`,
          resolveDir: root,
          loader: "js",
        },
        ...{ outfile, bundle: true, format: "esm", platform: "node", target: "es2022" },
        banner: {
          js: `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(import.meta.url)});`,
        },
        logLevel: "error",
      });
      const env = { ...process.env, URL_OF_SERVER: server.url(), NODE_OPTIONS: "" };
      const child = spawn(process.execPath, [outfile], { env });
      let said = "";
      child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const start = performance.now();
      const code = await new Promise((resolve) => child.once("close", resolve));
      expect({ code, said }).toEqual({ code: 0, said: "true\n" });
      expect(performance.now() - start).toBeLessThan(8_000); // an idle kill connection stays open for 10 s
    });
  });
}
