/** The ways in which an adapter can run one operation. */
import type { Context } from "../../index.ts";
import type { AdapterUnderTest, TransactionUnderTest } from "./adapter.ts";
import type { Form } from "./stage.ts";

/** Returns the number in a row of `AdapterUnderTest.stream`. */
export function numberOf(row: number | { readonly n: number }): number {
  return typeof row === "number" ? row : row.n;
}

/** Returns the plainest form. */
export function plainForm<Db>(adapter: AdapterUnderTest<Db>): Form<Db> {
  return { name: "an operation", run: (db, ctx, task) => adapter.run(db, ctx, task) };
}

/** Runs `fn` in a transaction, or does nothing if the adapter has none. */
export async function runInTransaction<Db>(
  adapter: AdapterUnderTest<Db>,
  db: Db,
  ctx: Context,
  fn: (tx: TransactionUnderTest) => Promise<unknown>,
): Promise<unknown> {
  return await adapter.transaction?.(db, ctx, fn);
}

/** Returns whether `connection` closes its connection if its context has ended. */
export function closesConnections<Db>(adapter: AdapterUnderTest<Db>): boolean {
  return adapter.documented?.afterConnection !== "keep";
}

/** Returns all forms. The plainest is the first. */
export function formsOf<Db>(adapter: AdapterUnderTest<Db>): Form<Db>[] {
  const forms = [plainForm(adapter)];
  if (adapter.transaction !== undefined) {
    forms.push({
      name: "an operation in a transaction",
      run: (db, ctx, task) => runInTransaction(adapter, db, ctx, async (tx) => tx.run(ctx, task)),
    });
  }
  if (adapter.connection !== undefined) {
    forms.push({
      name: "an operation on a connection",
      ...(closesConnections(adapter) ? { afterEnd: "destroy" } : {}),
      run: async (db, ctx, task) =>
        await adapter.connection?.(db, ctx, async (own) => own.run(ctx, task)),
    });
  }
  if (adapter.stream !== undefined) {
    forms.push({
      name: "a stream",
      async run(db, ctx, { i, ms, tag }) {
        let last = 0;
        for await (const row of adapter.stream?.(db, ctx, { count: 1, ms, tag }) ?? []) {
          last = numberOf(row);
        }
        return last === 1 ? i : last;
      },
    });
  }
  for (const [name, run] of Object.entries(adapter.forms ?? {})) forms.push({ name, run });
  return forms;
}
