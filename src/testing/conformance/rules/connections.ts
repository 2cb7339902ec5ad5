/** What is left of a function of `connection` whose context has ended. */
import { shield } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check } from "../expect.ts";
import { closesConnections } from "../forms.ts";
import { nextTag, show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { outcomeOf, until } from "../time.ts";
import { without } from "./skips.ts";

/** Milliseconds that a clean-up may take. */
const CLEAN_UP = 5_000;

export function connections<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const closes = closesConnections(adapter);
  return [
    {
      name: "the function of connection() can clean up under a shield after its context has ended",
      skip: without(adapter, "connection"),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const ctx = stage.context();
          let cleanUp: unknown;
          await adapter.connection?.(stage.db, ctx, async (own) => {
            ctx.cancel();
            cleanUp = await outcomeOf(
              shield(ctx, CLEAN_UP, (live) => own.run(live, { i: 7, ms: 0, tag: nextTag() })),
            );
          });
          const outcome = cleanUp as Awaited<ReturnType<typeof outcomeOf>>;
          check(
            "value" in outcome && outcome.value === 7,
            `an operation of a shield on a connection whose context had ended must run there, but ${show(outcome)}`,
            "error" in outcome ? outcome.error : undefined,
          );
        }),
    },
    {
      name: `the connection of a function of connection() whose context has ended is ${closes ? "closed" : "used again"}`,
      skip: without(adapter, "connection", "server", "isStopRequest"),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const ctx = stage.context();
          await adapter.connection?.(stage.db, ctx, async (own) => {
            await own.run(ctx, { i: 7, ms: 0, tag: nextTag() });
            ctx.cancel();
          });
          const { link } = stage;
          await stage.expectUsable("after a function of connection() whose context had ended");
          if (link === undefined) return;
          if (!closes) {
            check(!link.isClosed, "the connection was closed, although that is not documented");
            return;
          }
          await until(
            "the connection of a function of connection() whose context had ended was not closed, so that its locks and settings reach the next caller: close it in `destroy`",
            () => link.isClosed,
            2_000,
          );
        }),
    },
  ];
}
