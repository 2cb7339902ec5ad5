import { testRule } from "../../../test/support/eslint.ts";
import { noTodo } from "./no-todo.ts";

testRule(noTodo, {
  valid: [
    `import { background } from "eightysix"; background();`,
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
