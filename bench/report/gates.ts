import type { Ref } from "./rows.ts";

/** A promise about a figure, alone or as a multiple of another figure of the same run. */
export interface Gate {
  promise: string;
  of: Ref;
  over?: Ref;
  /** A figure that is subtracted first: the cost of the measuring loop. */
  less?: Ref;
  atMost?: number;
  atLeast?: number;
}

export const gates: Gate[] = [
  { promise: "withCancel + cancel, ns", of: "derive/ours", atMost: 45 },
  { promise: "… of Go's", of: "derive/ours", over: "go/derive", atMost: 0.35 },
  {
    promise: "… a listening child takes, times",
    of: "derive/listener-child",
    over: "derive/ours",
    atLeast: 15,
  },

  { promise: "withTimeout + cancel, ns", of: "timeout/ours", atMost: 130 },
  {
    promise: "… beside 1M live timers, of beside none",
    of: "timeout/ours-1000k",
    over: "timeout/ours",
    atMost: 1.25,
  },
  {
    promise: "… armed, beside 1M live, of beside none",
    of: "timeout/ours-watched-1000k",
    over: "timeout/ours-watched",
    atMost: 1.5,
  },
  { promise: "… of Go's", of: "timeout/ours", over: "go/timeout", atMost: 0.35 },
  {
    promise: "… a hand-made child takes, times",
    of: "timeout/hand-made",
    over: "timeout/ours",
    atLeast: 8,
  },
  {
    promise: "… any + timeout takes, times",
    of: "timeout/any-timeout",
    over: "timeout/ours",
    atLeast: 20,
  },

  {
    promise: ".signal + cancel, of a bare AbortController",
    of: "watched/ours-signal",
    over: "derive/controller",
    atMost: 1.25,
  },
  {
    promise: "… with a listener on either",
    of: "watched/ours-listener",
    over: "watched/controller-listener",
    atMost: 1.25,
  },

  { promise: "1M watched children: derive, ns each", of: "fanout/ours-1000k#derive", atMost: 500 },
  { promise: "1M watched children: cancel, ns each", of: "fanout/ours-1000k#cancel", atMost: 70 },
  {
    promise: "… linear: derive, of 100k",
    of: "fanout/ours-1000k#derive",
    over: "fanout/ours-100k#derive",
    atMost: 2,
  },
  {
    promise: "… linear: cancel, of 100k",
    of: "fanout/ours-1000k#cancel",
    over: "fanout/ours-100k#cancel",
    atMost: 2,
  },
  { promise: "1M deep: cancel, ns each", of: "fanout/ours-deep-1000k#cancel", atMost: 70 },

  { promise: "bytes: withCancel", of: "bytes/ours-cancel", atMost: 112 },
  { promise: "bytes: withTimeout", of: "bytes/ours-timeout", atMost: 160 },
  { promise: "bytes: withValue", of: "bytes/ours-value", atMost: 64 },
  // Half a byte for each child: a million forgotten children move the heap that much without a
  // leak.
  { promise: "bytes left by a forgotten withCancel", of: "forget/ours-cancel#bytes", atMost: 0.5 },
  {
    promise: "bytes left by a forgotten withTimeout",
    of: "forget/ours-timeout#bytes",
    atMost: 0.5,
  },
  {
    promise: "bytes left when watched, then stopped",
    of: "forget/ours-stopped#bytes",
    atMost: 0.5,
  },
  { promise: "… with a timeout", of: "forget/ours-timeout-stopped#bytes", atMost: 0.5 },

  { promise: "value() 10 deep, ns", of: "value/ours-10", less: "check/loop", atMost: 20 },
  { promise: "value() 50 deep, ns", of: "value/ours-50", less: "check/loop", atMost: 90 },

  { promise: "err() 1 deep, ns", of: "check/ours-err-1", less: "check/loop", atMost: 2 },
  { promise: "err() 50 deep, ns", of: "check/ours-err-50", less: "check/loop", atMost: 2 },
  {
    promise: "err() with deadlines, 5 deep, ns",
    of: "check/ours-err-deadline-5",
    less: "check/loop",
    atMost: 50,
  },
  { promise: "checkpoint(), ns", of: "check/ours-checkpoint", less: "check/loop", atMost: 1 },
];
