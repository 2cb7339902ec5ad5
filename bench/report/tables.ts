/** What is printed: rows of cases, in tables. */

/** A figure of a case: `group/name`, or `group/name#figure` when it has more than one. */
export type Ref = string;

export interface Row {
  label: string;
  of: Ref;
  /** Shown as a multiple of this figure. */
  vs?: Ref;
}

export interface Table {
  title: string;
  unit: "ns" | "bytes";
  rows: Row[];
}

const rows = (vs: Ref | undefined, labels: Record<Ref, string>): Row[] =>
  Object.entries(labels).map(([of, label]) => ({ label, of, ...(vs !== undefined && { vs }) }));

/** Ours and Go's, depth by depth. */
const depths = (depth: number[], ours: string, go: string, label: (d: number) => string): Row[] =>
  depth.flatMap((d) => [
    { label: `**${label(d)}**`, of: `${ours}-${d}` },
    { label: `Go, ${label(d)}`, of: `${go}-${d}`, vs: `${ours}-${d}` },
  ]);

export const tables: Table[] = [
  {
    title: "Derive a child and cancel it",
    unit: "ns",
    rows: rows("derive/ours", {
      "derive/ours": "**withCancel, cancel**",
      "go/derive": "Go context.WithCancel, cancel",
      "derive/controller": "AbortController, abort(reason); no parent",
      "derive/controller-default-reason": "AbortController, abort(); no parent",
      "derive/listener-child": "AbortController listening to its parent, by hand",
      "derive/any": "AbortSignal.any([parent, own])",
      "effect/derive": "Effect runFork, interrupt",
    }),
  },
  {
    title: "Derive a child with a timeout and cancel it",
    unit: "ns",
    rows: rows("timeout/ours", {
      "timeout/ours": "**withTimeout, cancel**",
      "timeout/ours-100k": "**… beside 100k live timers**",
      "timeout/ours-1000k": "**… beside 1M live timers**",
      "timeout/ours-watched": "**withTimeout, afterFunc (arms a timer), cancel**",
      "timeout/ours-watched-100k": "**… beside 100k live timers**",
      "timeout/ours-watched-1000k": "**… beside 1M live timers**",
      "go/timeout": "Go context.WithTimeout, cancel",
      "go/timeout-100k": "Go, beside 100k live timers",
      "timeout/timer": "setTimeout, clearTimeout",
      "timeout/timer-100k": "setTimeout, clearTimeout, beside 100k live timers",
      "timeout/hand-made": "AbortController, listener and setTimeout, by hand",
      "timeout/any-timeout": "AbortSignal.any([parent, AbortSignal.timeout()])",
      "effect/timeout": "Effect.timeout, runFork, interrupt",
    }),
  },
  {
    title: "Derive, watch, cancel",
    unit: "ns",
    rows: rows("watched/ours-after-func", {
      "watched/ours-after-func": "**withCancel, afterFunc, cancel**",
      "watched/ours-after-func-stop": "**withCancel, afterFunc, stop, cancel**",
      "watched/ours-signal": "**withCancel, .signal, cancel**",
      "watched/ours-listener": "**withCancel, .signal with a listener, cancel**",
      "go/derive-done": "Go context.WithCancel, Done, cancel",
      "derive/controller": "AbortController, abort(reason); no parent",
      "watched/controller-listener": "AbortController with a listener, abort(reason); no parent",
    }),
  },
  {
    title: "Ask a live context: cancelled?",
    unit: "ns",
    rows: [
      ...depths([1, 5, 50], "check/ours-err", "go/err", (d) => `err(), ${d} deep`),
      ...depths(
        [1, 5, 50],
        "check/ours-err-deadline",
        "go/err-deadline",
        (d) => `err(), ${d} deep, deadlines`,
      ),
      { label: "**err(), 5 deep, watched**", of: "check/ours-err-watched-5" },
      { label: "**err(), 5 deep, deadlines, watched**", of: "check/ours-err-deadline-watched-5" },
      { label: "**checkpoint(), deadline**", of: "check/ours-checkpoint" },
      { label: "**await checkpoint(), deadline**", of: "check/ours-await-checkpoint" },
      { label: "AbortSignal.aborted", of: "check/aborted", vs: "check/ours-err-1" },
      { label: "the loop itself", of: "check/loop" },
    ],
  },
  {
    title: "Look a value up, each layer a withValue and a withCancel",
    unit: "ns",
    rows: [
      ...depths([1, 10, 50, 100], "value/ours", "go/value", (d) => `value(), ${d} deep`),
      {
        label: "AsyncLocalStorage getStore().get(), a Map",
        of: "value/storage",
        vs: "value/ours-10",
      },
    ],
  },
  {
    title: "Derive many contexts from one parent, per context",
    unit: "ns",
    rows: rows("fanout/ours-1000k#derive", {
      "fanout/ours-unwatched-1000k#derive": "**1M children**",
      "fanout/ours-1k#derive": "**1k children, afterFunc on each**",
      "fanout/ours-100k#derive": "**100k children, afterFunc on each**",
      "fanout/ours-1000k#derive": "**1M children, afterFunc on each**",
      "fanout/ours-signal-100k#derive": "**100k children, .signal with a listener on each**",
      "fanout/ours-deep-1000k#derive": "**a chain 1M deep, afterFunc on the last**",
      "go/fanout-1k#derive": "Go, 1k children",
      "go/fanout-100k#derive": "Go, 100k children",
      "go/fanout-1000k#derive": "Go, 1M children",
      "go/fanout-deep-1000k#derive": "Go, a chain 1M deep",
      "fanout/listener-10k#derive": "AbortController listening to its parent, 10k children",
      "fanout/any-100k#derive": "AbortSignal.any([parent]), 100k children",
    }),
  },
  {
    title: "Cancel that parent, per context (all are done when cancel returns)",
    unit: "ns",
    rows: rows("fanout/ours-1000k#cancel", {
      "fanout/ours-unwatched-1000k#cancel": "**1M children**",
      "fanout/ours-1k#cancel": "**1k children, afterFunc on each**",
      "fanout/ours-100k#cancel": "**100k children, afterFunc on each**",
      "fanout/ours-1000k#cancel": "**1M children, afterFunc on each**",
      "fanout/ours-signal-100k#cancel": "**100k children, .signal with a listener on each**",
      "fanout/ours-deep-1000k#cancel": "**a chain 1M deep, afterFunc on the last**",
      "go/fanout-1k#cancel": "Go, 1k children",
      "go/fanout-100k#cancel": "Go, 100k children",
      "go/fanout-1000k#cancel": "Go, 1M children",
      "go/fanout-deep-1000k#cancel": "Go, a chain 1M deep",
      "fanout/listener-10k#cancel": "AbortController listening to its parent, 10k children",
      "fanout/any-100k#cancel": "AbortSignal.any([parent]), 100k children",
    }),
  },
  {
    title: "… and run their callbacks, in microtasks, per context",
    unit: "ns",
    rows: rows("fanout/ours-1000k#told", {
      "fanout/ours-1k#told": "**1k children, afterFunc on each**",
      "fanout/ours-100k#told": "**100k children, afterFunc on each**",
      "fanout/ours-1000k#told": "**1M children, afterFunc on each**",
    }),
  },
  {
    title: "Heap of one live context",
    unit: "bytes",
    rows: rows("bytes/ours-cancel", {
      "bytes/ours-cancel": "**withCancel**",
      "bytes/ours-timeout": "**withTimeout**",
      "bytes/ours-value": "**withValue**",
      "bytes/ours-cancel-after-func": "**withCancel, afterFunc**",
      "bytes/ours-timeout-after-func": "**withTimeout, afterFunc**",
      "bytes/ours-cancel-signal": "**withCancel, .signal**",
      "go/bytes-cancel": "Go context.WithCancel",
      "go/bytes-timeout": "Go context.WithTimeout",
      "go/bytes-value": "Go context.WithValue",
      "go/bytes-cancel-done": "Go context.WithCancel, Done",
      "bytes/controller": "AbortController, .signal",
      "bytes/listener-child": "AbortController listening to its parent",
      "bytes/timeout-child": "AbortController, listener and setTimeout, by hand",
      "bytes/any-timeout": "AbortSignal.any([parent, AbortSignal.timeout()])",
      "bytes/timer": "setTimeout",
      "effect/bytes": "Effect runFork",
    }),
  },
  {
    title: "Heap left on a long-lived parent by each child that was forgotten, never cancelled",
    unit: "bytes",
    rows: rows(undefined, {
      "forget/ours-cancel#bytes": "**withCancel**",
      "forget/ours-timeout#bytes": "**withTimeout**",
      "forget/ours-value#bytes": "**withCancel, withValue**",
      "forget/ours-stopped#bytes": "**withCancel, afterFunc, stop**",
      "forget/ours-timeout-stopped#bytes": "**withTimeout, afterFunc, stop**",
      "forget/ours-watched#bytes": "**withCancel, afterFunc: kept, it must be told**",
      "go/forget-cancel#bytes": "Go context.WithCancel",
      "forget/listener#bytes": "AbortController listening to its parent",
      "forget/any#bytes": "AbortSignal.any([parent, own])",
      "forget/any-listener#bytes": "AbortSignal.any([parent]) with a listener",
    }),
  },
  {
    title: "… and the time to derive it",
    unit: "ns",
    rows: rows("forget/ours-cancel#ns", {
      "forget/ours-cancel#ns": "**withCancel**",
      "forget/ours-timeout#ns": "**withTimeout**",
      "forget/ours-stopped#ns": "**withCancel, afterFunc, stop**",
      "go/forget-cancel#ns": "Go context.WithCancel",
      "forget/listener#ns": "AbortController listening to its parent",
      "forget/any#ns": "AbortSignal.any([parent, own])",
    }),
  },
];
