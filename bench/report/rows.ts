/** Rows of the tables, and the cases they show. */

/** The name of a figure: `group/name`, or `group/name#figure` if the case has several. */
export type Ref = string;

export interface Row {
  label: string;
  of: Ref;
  /** The figure that this one is shown as a multiple of. */
  vs?: Ref;
}

export interface Table {
  title: string;
  unit: "ns" | "bytes";
  rows: Row[];
}

export const rows = (vs: Ref | undefined, labels: Record<Ref, string>): Row[] =>
  Object.entries(labels).map(([of, label]) => ({ label, of, ...(vs !== undefined && { vs }) }));

/** Returns two rows for each depth: eightysix and Go. */
export const depths = (
  depth: number[],
  ours: string,
  go: string,
  label: (d: number) => string,
): Row[] =>
  depth.flatMap((d) => [
    { label: `**${label(d)}**`, of: `${ours}-${d}` },
    { label: `Go, ${label(d)}`, of: `${go}-${d}`, vs: `${ours}-${d}` },
  ]);

/**
 * Returns the rows for many contexts under one parent. `figure` is the operation, such as "cancel".
 */
export const families = (figure: string): Row[] =>
  rows(
    `fanout/ours-1000k#${figure}`,
    Object.fromEntries(
      Object.entries({
        "ours-unwatched-1000k": "**1M children**",
        "ours-1k": "**1k children, afterFunc on each**",
        "ours-100k": "**100k children, afterFunc on each**",
        "ours-1000k": "**1M children, afterFunc on each**",
        "ours-signal-100k": "**100k children, .signal with a listener on each**",
        "ours-deep-1000k": "**a chain 1M deep, afterFunc on the last**",
        "ours-deep-unwatched-1000k": "**a chain 1M deep**",
        "listener-10k": "AbortController listening to its parent, 10k children",
        "any-100k": "AbortSignal.any([parent]), 100k children",
      }).map(([name, label]) => [`fanout/${name}#${figure}`, label]),
    ),
  ).concat(
    [1, 100, 1000].map((k) => ({
      label: `Go, ${k === 1000 ? "1M" : `${k}k`} children`,
      of: `go/fanout-${k}k#${figure}`,
      vs: `fanout/ours-${k}k#${figure}`,
    })),
    {
      label: "Go, a chain 1M deep",
      of: `go/fanout-deep-1000k#${figure}`,
      vs: `fanout/ours-deep-1000k#${figure}`,
    },
  );
