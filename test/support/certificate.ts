/** A certificate for localhost, for tests of TLS. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** `undefined` if the machine has no openssl. */
export function certificate(): { key: string; cert: string } | undefined {
  const dir = mkdtempSync(join(tmpdir(), "eightysix-tls-"));
  const make =
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost";
  try {
    const files = ["-keyout", join(dir, "key"), "-out", join(dir, "cert")];
    execFileSync("openssl", [...make.split(" "), ...files], { stdio: "ignore" });
    return {
      key: readFileSync(join(dir, "key"), "utf8"),
      cert: readFileSync(join(dir, "cert"), "utf8"),
    };
  } catch {
    return undefined;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
