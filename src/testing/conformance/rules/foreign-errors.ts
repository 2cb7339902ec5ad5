/** Errors that no stop has caused reach the caller unchanged. */
import { background } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check, settled } from "../expect.ts";
import { show } from "../stage.ts";
import type { Draft } from "../test.ts";
import { gate, limited, outcomeOf, pause, type Outcome } from "../time.ts";
import { without } from "./skips.ts";

/** Milliseconds that the answer is held after the end of the context. */
const HELD = 50;

export function foreignErrors<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const expectFailure = (when: string, outcome: Outcome): void => {
    check(
      "error" in outcome && adapter.isFailure?.(outcome.error) === true,
      `an operation failed ${when}, and the server's error must arrive unchanged, but ${show(outcome)}: \`isStop\` must return true only for the answer to a stop`,
      "error" in outcome ? outcome.error : undefined,
    );
  };
  return [
    {
      name: "an error of the server arrives unchanged",
      skip: without(adapter, "fail", "isFailure"),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const failing = adapter.fail?.(stage.db, stage.context());
          if (failing === undefined) return;
          expectFailure("while its context was live", await outcomeOf(failing));
        }),
    },
    {
      name: "an error of the server arrives unchanged if the context ends before the answer has arrived",
      skip: without(adapter, "fail", "isFailure", "server"),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const ctx = stage.context();
          const answered = gate();
          const released = gate();
          stage.onOther = ({ from, link }) => {
            if (from !== "server" || link !== stage.link) return undefined;
            answered.open();
            return released.opened;
          };
          const failing = adapter.fail?.(stage.db, ctx);
          if (failing === undefined) return;
          const outcome = outcomeOf(failing);
          await limited("the server did not answer `fail`", answered.opened, 3_000);
          ctx.cancel();
          await pause(HELD);
          released.open();
          expectFailure(
            "before its stop arrived",
            await settled("an operation that failed", { outcome }),
          );
        }),
    },
    {
      name: "an error of the server does not end the process's other work: the next operation succeeds",
      skip: without(adapter, "fail"),
      run: (withStage) =>
        withStage({}, async (stage) => {
          const failing = adapter.fail?.(stage.db, background());
          if (failing === undefined) return;
          await outcomeOf(failing);
          await stage.expectUsable("after an error of the server");
        }),
    },
  ];
}
