import { testRule } from "../../../test/support/eslint.ts";
import { noNilContext } from "./no-nil-context.ts";

const nil = [{ messageId: "nil" }];
const pass = (text: string, output: string) => [
  { messageId: "nil", suggestions: [{ messageId: "pass", data: { text }, output }] },
];

testRule(noNilContext, {
  valid: [
    `import { sleep, type Context } from "eightysix"; const f = (ctx: Context) => sleep(ctx, 1);`,
    {
      name: "a parameter that may be left out",
      code: `import type { Context } from "eightysix"; function f(a?: Context, b: Context | undefined = a, c: Context | null = null) { return [a, b, c]; } f(undefined, undefined, null);`,
    },
    {
      name: "a union that names undefined",
      code: `import type { Context } from "eightysix"; declare function f(ctx: Context | undefined): void; f(undefined);`,
    },
    {
      name: "a type parameter that is a context here",
      code: `import type { Context } from "eightysix"; declare function make<T>(x: T): T; make<Context>(null!); new Map<Context, string>().get(null!); [] as Context[]; const list: Context[] = []; list.push(undefined!);`,
    },
    {
      name: "a test double",
      code: `import { sleep, type Context } from "eightysix"; void sleep({ err: () => undefined } as unknown as Context, 1);`,
    },
    {
      name: "another function of that name",
      code: `function sleep(x: unknown, ms: number) { return [x, ms]; } sleep(null, 1);`,
    },
    {
      name: "a driver without contexts",
      code: `declare const db: { query(values: null, sql: string): void }; db.query(null, "select 1");`,
    },
    {
      name: "another argument of a function that takes a context first",
      code: `import { background, withValue, key } from "eightysix"; const K = key<null>("k"); withValue(background(), K, null);`,
    },
  ],
  invalid: [
    {
      name: "the context at hand is suggested",
      code: `import { sleep, type Context } from "eightysix"; export function f(ctx: Context) { return [ctx, sleep(null!, 1)]; }`,
      errors: pass(
        "ctx",
        `import { sleep, type Context } from "eightysix"; export function f(ctx: Context) { return [ctx, sleep(ctx, 1)]; }`,
      ),
    },
    {
      name: "background and todo are suggested if they are imported",
      code: `import { background, todo, sleep, type Context } from "eightysix"; export const p = sleep(null as unknown as Context, 1);`,
      errors: [
        {
          messageId: "nil",
          suggestions: [
            {
              messageId: "pass",
              data: { text: "background()" },
              output: `import { background, todo, sleep, type Context } from "eightysix"; export const p = sleep(background(), 1);`,
            },
            {
              messageId: "pass",
              data: { text: "todo()" },
              output: `import { background, todo, sleep, type Context } from "eightysix"; export const p = sleep(todo(), 1);`,
            },
          ],
        },
      ],
    },
    {
      code: `import { sleep } from "eightysix"; void sleep(undefined as never, 1);`,
      errors: nil,
    },
    {
      code: `import { sleep } from "eightysix"; void sleep(undefined as any, 1);`,
      errors: nil,
    },
    {
      code: `import { sleep, type Context } from "eightysix"; void sleep({} as Context, 1);`,
      errors: nil,
    },
    {
      code: `import { sleep, type Context } from "eightysix"; void sleep(<Context>{}, 1);`,
      errors: nil,
    },
    {
      code: `import { merge, background } from "eightysix"; const c = merge(background(), null!); c.cancel();`,
      errors: pass(
        "background()",
        `import { merge, background } from "eightysix"; const c = merge(background(), background()); c.cancel();`,
      ),
    },
    {
      name: "CommonJS",
      code: `const e = require("eightysix"); e.sleep(null, 1); e.sleep(void 0, 1);`,
      filename: "common.cjs",
      errors: Array.from({ length: 2 }, () => ({ messageId: "nil", suggestions: 2 })),
    },
    {
      name: "a query of a driver that takes contexts",
      code: `import pg from "pg"; import { withContext } from "eightysix/pg"; const db = withContext(new pg.Pool()); void db.query(null as never, "select 1");`,
      errors: nil,
    },
    {
      name: "a function of the file",
      code: `import type { Context } from "eightysix"; function load(id: number, ctx: Context) { return [id, ctx]; } load(1, null!);`,
      errors: nil,
    },
    {
      name: "a method, a constructor and a function from elsewhere",
      code: `import type { Context } from "eightysix"; declare class A { constructor(ctx: Context); load(ctx: Context): void } declare function f(ctx: Context): void; new A(null!).load(null!); f(undefined!);`,
      only: "types",
      errors: [...nil, ...nil, ...nil],
    },
  ],
});
