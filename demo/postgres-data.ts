import type { ClientBase } from "pg";
import { spread } from "./spread.ts";

/** Customers in PostgreSQL; the most the report may span. */
export const customers = 10_000;
const purchasesEach = 50;
const products = 200;

/** Server parameters under which the report takes equally long every time. */
export const postgresSettings = {
  max_parallel_workers_per_gather: 0, // one query, one core: as comparable as the other engines
  work_mem: "64MB",
};

/** Which products are bought by the same customers. $1: how many customers. */
export const postgresReport = `
select a.product, b.product as together_with, count(*)::int as customers
from purchases a join purchases b on b.customer = a.customer and b.product > a.product
where a.customer < $1 and b.customer < $1
group by a.product, b.product
order by customers desc, a.product, b.product
limit 5`;

/** Makes and fills `purchases`: the same rows for the same seed. Replaces an older one. */
export async function fillPostgres(client: ClientBase, seed: number): Promise<void> {
  await client.query(`
    drop table if exists purchases;
    create unlogged table purchases (customer int not null, product int not null);
    insert into purchases
      select n / ${purchasesEach}, ${spread("n::bigint", seed, products)}
      from generate_series(0, ${customers * purchasesEach - 1}) n;
    analyze purchases`);
}
