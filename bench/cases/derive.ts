/** Measures deriving a child from a long-lived parent, and canceling the child. */
import { background, withCancel } from "eightysix";
import { perOp } from "../measure/per-op.ts";
import { listenerChild } from "./hand-made.ts";
import type { Cases } from "./index.ts";

const reason = new Error("stop");

export const cases: Cases = {
  async ours() {
    const parent = withCancel(background());
    const op = () => {
      const ctx = withCancel(parent);
      ctx.cancel();
      return ctx;
    };
    return {
      value: await perOp(op, (ctx) => ctx.err() !== undefined && parent.err() === undefined),
    };
  },

  /** Without a parent: the cheapest object that the platform can cancel. */
  async controller() {
    const op = () => {
      const own = new AbortController();
      own.abort(reason);
      return own.signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted && signal.reason === reason) };
  },

  /** The default reason is a DOMException with a stack. */
  async "controller-default-reason"() {
    const op = () => {
      const own = new AbortController();
      own.abort();
      return own.signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted) };
  },

  async "listener-child"() {
    const parent = new AbortController();
    const op = () => {
      const child = listenerChild(parent.signal);
      child.cancel(reason);
      return child.signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted && !parent.signal.aborted) };
  },

  async any() {
    const parent = new AbortController();
    const op = () => {
      const own = new AbortController();
      const signal = AbortSignal.any([parent.signal, own.signal]);
      own.abort(reason);
      return signal;
    };
    return { value: await perOp(op, (signal) => signal.aborted && !parent.signal.aborted) };
  },
};
