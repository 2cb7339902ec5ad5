/** Whether a name is that of a credential, such as "password", "authToken" and "x-api-key". */

/** The last words of the names of credentials. */
const CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "bearer",
  "cookie",
  "cookies",
  "credential",
  "credentials",
  "jwt",
  "passphrase",
  "passwd",
  "password",
  "pwd",
  "secret",
  "secrets",
  "token",
]);
/** What a key opens. Other keys are no credentials: "cache key", "primary key". */
const KEYS: ReadonlySet<string> = new Set([
  "access",
  "api",
  "encryption",
  "private",
  "secret",
  "signing",
]);
/** What a token is of that opens nothing. */
const HARMLESS_TOKENS: ReadonlySet<string> = new Set([
  "abort",
  "cancel",
  "canceled",
  "cancelation",
  "cancellation",
  "cancelled",
  "continuation",
  "design",
  "fencing",
  "lexer",
  "lock",
  "next",
  "page",
  "pagination",
  "paging",
  "parser",
  "resume",
  "semaphore",
  "stop",
  "sync",
  "syntax",
]);

export function isCredential(name: string): boolean {
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  if (last === "token") return !HARMLESS_TOKENS.has(before);
  if (last === "key") return KEYS.has(before);
  return CREDENTIALS.has(last) || last === "apikey";
}
