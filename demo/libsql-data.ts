import Database from "libsql/promise";
import { spread } from "./spread.ts";

/** Products in libsql; the most the report may span. */
export const ratedProducts = 4_000;
const ratings = 200_000;
const tasters = 8;

/**
 * The products the panel of tasters disagrees on most. ?: how many products.
 *
 * Everything is computed before the first row comes out. That matters: libsql
 * takes the first step of a statement on a thread of its own, and every further
 * one on the event loop.
 */
export const libsqlReport = `
select p.id as product,
       (select count(*) from ratings a join ratings b on b.taster = a.taster and b.stars >= a.stars + 3
        where a.product = p.id) as disputes
from products p
where p.id < ?
order by disputes desc, product
limit 5`;

/** Makes the database file at `path`: the same rows for the same seed. */
export async function fillLibsql(path: string, seed: number): Promise<void> {
  const database = new Database(path, {});
  // exec() runs on a thread of libsql's; run() and get() would block the event loop.
  await database.exec(`
    pragma journal_mode = off;
    pragma synchronous = off;
    begin;
    create table products (id integer primary key);
    create table ratings (product int not null, taster int not null, stars int not null);
    with recursive s(n) as (select 0 union all select n + 1 from s where n < ${ratedProducts - 1})
      insert into products select n from s;
    with recursive s(n) as (select 0 union all select n + 1 from s where n < ${ratings - 1})
      insert into ratings
      select n % ${ratedProducts}, n * 48271 % 2147483647 % ${tasters}, 1 + ${spread("n", seed, 5)} from s;
    create index by_product on ratings (product, taster, stars);
    create index by_taster on ratings (taster, stars);
    commit;
    analyze`);
  database.close();
}
