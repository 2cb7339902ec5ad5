/** The reasons why tests are skipped. */
import type { AdapterUnderTest } from "../adapter.ts";

type Optional =
  | "isStopRequest"
  | "fail"
  | "isFailure"
  | "transaction"
  | "committed"
  | "connection"
  | "stream"
  | "server";

/** Returns why a test that needs these parts of the description is skipped, if one is missing. */
export function without<Db>(
  adapter: AdapterUnderTest<Db>,
  ...needed: readonly Optional[]
): string | undefined {
  const missing = needed.filter((name) => adapter[name] === undefined);
  if (missing.length === 0) return undefined;
  return `the description has no ${missing.map((name) => `\`${name}\``).join(" and no ")}`;
}

/** Returns why a test that holds, drops or breaks stop requests is skipped. */
export function withoutStopRequest<Db>(adapter: AdapterUnderTest<Db>): string | undefined {
  return without(adapter, "server", "isStopRequest");
}
