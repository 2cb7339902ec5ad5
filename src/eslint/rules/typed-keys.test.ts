import { testRule } from "../../../test/support/eslint.ts";
import { typedKeys } from "./typed-keys.ts";

const error = (messageId: string) => [{ messageId }];
const head = `import { background, key, withValue, type Context, type Key } from "eightysix"; `;

testRule(typedKeys, {
  valid: [
    `${head} export const User = key<string>("user");`,
    `${head} export const Locale = key("locale", { default: "en" });`,
    `${head} export const User: Key<string> = key("user");`,
    `${head} export const User = key<unknown>("user");`,
    `${head} class Keys { static User = key<string>("user"); static readonly Id: Key<number> = key("id"); }`,
    {
      name: "a factory that returns the key",
      code: `${head} export function keyOf(name: string) { const K = key<string>(name); return K; } export const of = (name: string) => key<number>(name);`,
    },
    {
      name: "a key that a function sets and reads",
      code: `${head} export function f(ctx: Context) { const K = key<number>("n"); const inner = withValue(ctx, K, 1); return inner.value(K); }`,
    },
    {
      name: "a key that leaves the function",
      code: `${head} export function f(ctx: Context, use: (k: Key<number>) => void) { const K = key<number>("n"); use(K); return withValue(ctx, K, 1); }`,
    },
    {
      name: "JavaScript",
      code: `import { key } from "eightysix"; export const User = key("user");`,
      filename: "script.js",
    },
    {
      name: "a function of that name from elsewhere",
      code: `declare function key(name: string): string; key("password");`,
    },
    `${head} export const Token = key<string>("token", { secret: true });`,
    `${head} export const CsrfToken = key<string>("csrfToken", { secret: false });`,
    `${head} export const A = key<string>("cancelToken"), B = key<number>("tokens"), C = key<string>("page-token"), D = key<string>("cacheKey"), E = key<boolean>("password"), F = key<string>("secretary"), G = key<string>("tokenType");`,
    `${head} declare const options: { secret: boolean }; export const Token = key<string>("token", options);`,
    {
      name: "options without the option",
      code: `${head} interface MailOptions { to: string } export const Mail = key<MailOptions>("mail"); export const Log = key<(line: string) => void>("log");`,
    },
    {
      name: "an object that has methods is no function",
      code: `${head} interface Logger { info(line: string): void } export const Log = key<Logger>("log");`,
      options: [{ options: true }],
    },
  ],
  invalid: [
    {
      code: `${head} export const f = (ctx: Context) => withValue(ctx, key<string>("user"), "ann");`,
      errors: error("lost"),
    },
    {
      code: `${head} export const f = (ctx: Context) => ctx.value(key<string>("user"));`,
      errors: error("lostRead"),
    },
    {
      code: `${head} export function f(ctx: Context) { const K = key<string>("user"); return withValue(ctx, K, "ann"); }`,
      errors: [{ messageId: "unread", data: { name: "K" } }],
    },
    {
      code: `${head} export function f(ctx: Context) { const K = key<string>("user"); return ctx.value(K); }`,
      errors: [{ messageId: "unset", data: { name: "K" } }],
    },
    { code: `${head} export const User = key("user");`, errors: error("untyped") },
    { code: `${head} export const User = key<any>("user");`, errors: error("untyped") },
    {
      code: `${head} export class Keys { static User = key("user"); }`,
      errors: error("untyped"),
    },
    {
      name: "a default of any",
      code: `${head} declare const any: any; export const User = key("user", { default: any });`,
      only: "types",
      errors: error("untyped"),
    },
    {
      code: `${head} export const Token = key<string>("token");`,
      errors: [
        {
          messageId: "secret",
          suggestions: [
            {
              messageId: "addSecret",
              output: `${head} export const Token = key<string>("token", { secret: true });`,
            },
          ],
        },
      ],
    },
    {
      code: `${head} export const Key1 = key("x-api-key", { default: "" });`,
      errors: [
        {
          messageId: "secret",
          suggestions: [
            {
              messageId: "addSecret",
              output: `${head} export const Key1 = key("x-api-key", { default: "", secret: true });`,
            },
          ],
        },
      ],
    },
    {
      code: `import * as e from "eightysix"; export const A = [e.key("APIKey", {}), e.key("session_cookie"), e.key("csrfToken"), e.key("userPassword")];`,
      filename: "script.js",
      errors: Array.from({ length: 4 }, () => ({ messageId: "secret", suggestions: 1 })),
    },
    {
      code: `${head} interface MailOptions { to: string } export const Mail = key<MailOptions>("mail");`,
      options: [{ options: true }],
      errors: error("options"),
    },
    {
      code: `${head} export const Retry = key<(error: Error) => boolean>("retry");`,
      options: [{ options: true }],
      errors: error("options"),
    },
    {
      name: "a function type behind a name",
      code: `${head} type Policy = (error: Error) => boolean; export const Retry = key<Policy>("retry");`,
      options: [{ options: true }],
      only: "types",
      errors: error("options"),
    },
  ],
});
