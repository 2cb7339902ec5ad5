import { testRule } from "../../../test/support/eslint.ts";
import { noTodo } from "./no-todo.ts";

testRule(noTodo, {
  valid: [
    `import { background } from "eightysix"; background();`,
    {
      name: "names that others shadow or replace",
      code: `import { todo } from "eightysix"; import * as e from "eightysix"; export function f(todo: () => void, e: { todo(): void }) { todo(); e.todo(); } let later = todo; later = e.background; later();`,
    },
    {
      name: "a circle of variables",
      code: `const a = b, b = c, c = a; a(); a.todo();`,
      filename: "script.js",
    },
    {
      name: "a function of that name from elsewhere",
      code: `import { todo } from "./list.js"; todo();`,
    },
  ],
  invalid: [
    {
      code: `import { todo } from "eightysix"; todo();`,
      errors: [{ messageId: "todo" }],
    },
    {
      name: "an alias",
      code: `import { todo as later } from "eightysix"; later();`,
      errors: [{ messageId: "todo" }],
    },
    {
      name: "a namespace",
      code: `import * as e from "eightysix"; e.todo();`,
      errors: [{ messageId: "todo" }],
    },
    {
      name: "an alias behind a cast, a chain and a comma",
      code: `import * as e from "eightysix"; const a = e satisfies object, b = <typeof e>a, { todo: c = b.background } = b!; c(); (0, b.todo)(); e?.todo?.();`,
      errors: [{ messageId: "todo" }, { messageId: "todo" }, { messageId: "todo" }],
    },
    {
      name: "a module that is imported when it is needed",
      code: `const { todo } = await import("eightysix"); todo(); export {};`,
      errors: [{ messageId: "todo" }],
    },
    {
      name: "the default export that CommonJS modules have",
      code: `import e from "eightysix"; e.todo();`,
      filename: "script.js",
      errors: [{ messageId: "todo" }],
    },
    {
      name: "CommonJS",
      code: `const { todo: later } = require("eightysix"); later();`,
      filename: "script.js",
      errors: [{ messageId: "todo" }],
    },
    {
      name: "a module that exports it again",
      code: `import { todo } from "./again.ts"; todo();`,
      only: "types",
      errors: [{ messageId: "todo" }],
    },
  ],
});
