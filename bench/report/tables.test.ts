import { expect, test } from "vitest";
import { loadCase } from "../cases/index.ts";
import { gates } from "./gates.ts";
import { tables } from "./tables.ts";

const idOf = (ref: string): string => ref.split("#")[0] ?? "";
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
