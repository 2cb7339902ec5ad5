/** Measures a context that is watched: derive, watch, cancel. */
import { afterFunc, background, withCancel } from "eightysix";
import { perOp } from "../measure/per-op.ts";
import type { Cases } from "./index.ts";

const reason = new Error("stop");
let told = 0;
const tell = () => {
  told++;
};
/** Returns whether the watcher was called since the last question. */
const wasTold = () => {
  const yes = told > 0;
  told = 0;
  return yes;
};

export const cases: Cases = {
  async "ours-after-func"() {
    const parent = withCancel(background());
    const op = () => {
      const ctx = withCancel(parent);
      afterFunc(ctx, tell);
      ctx.cancel();
      return ctx;
    };
    return { value: await perOp(op, (ctx) => ctx.err() !== undefined && wasTold()) };
  },

  async "ours-after-func-stop"() {
    const parent = withCancel(background());
    const op = () => {
      const ctx = withCancel(parent);
      const stop = afterFunc(ctx, tell);
      const stopped = stop();
      ctx.cancel();
      return stopped;
    };
    return { value: await perOp(op, (stopped) => stopped && !wasTold()) };
  },

  async "ours-signal"() {
    const parent = withCancel(background());
    const op = () => {
      const ctx = withCancel(parent);
      const { signal } = ctx;
      ctx.cancel();
      return signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted) };
  },

  async "ours-listener"() {
    const parent = withCancel(background());
    const op = () => {
      const ctx = withCancel(parent);
      ctx.signal.addEventListener("abort", tell, { once: true });
      ctx.cancel();
      return ctx;
    };
    return { value: await perOp(op, (ctx) => ctx.signal.aborted && wasTold()) };
  },

  async "controller-listener"() {
    const op = () => {
      const own = new AbortController();
      own.signal.addEventListener("abort", tell, { once: true });
      own.abort(reason);
      return own.signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted && wasTold()) };
  },
};
