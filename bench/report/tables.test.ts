import { describe, expect, test } from "vitest";
import { loadCase } from "../cases/index.ts";
import * as tasksGates from "../tasks/gates.ts";
import * as tasksTables from "../tasks/tables.ts";
import * as contextsGates from "./gates.ts";
import * as contextsTables from "./tables.ts";

const idOf = (ref: string): string => ref.split("#")[0] ?? "";
describe.each([
  { command: "bench", ...contextsTables, ...contextsGates },
  { command: "bench:tasks", ...tasksTables, ...tasksGates },
])("npm run $command", ({ tables, gates }) => {
  const shown = new Set(tables.flatMap(({ rows }) => rows.map(({ of }) => of)));

  test("every row of the tables has a case", async () => {
    const ids = [...shown].map(idOf).filter((id) => !id.startsWith("go/"));
    for (const id of new Set(ids)) expect(await loadCase(id), id).toBeTypeOf("function");
  });

  test("every promise is about a figure in the tables", () => {
    for (const { of, over, less } of gates) {
      for (const ref of [of, over, less]) if (ref !== undefined) expect(shown).toContain(ref);
    }
  });

  test("every row is compared with a figure in the tables", () => {
    for (const { vs } of tables.flatMap(({ rows }) => rows)) {
      if (vs !== undefined) expect(shown).toContain(vs);
    }
  });
});
