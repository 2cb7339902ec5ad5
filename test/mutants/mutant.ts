/**
 * A breach of the stopping protocol, which tests must notice. The files beside list them, one file for
 * each group. `npm run mutants` applies each to a copy of the sources, and runs its tests there.
 */
export interface Mutant {
  /** What the changed code does wrong, as a sentence. */
  readonly name: string;
  /** The file that it changes. */
  readonly file: string;
  /** The text that it replaces. It occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** The tests of which one must fail: a file, or "<file> > <part of the title>". */
  readonly tests: readonly string[];
}

/** Mutants whose tests need the same. */
export interface Group {
  /** Whether the tests use the servers of the run. Without servers a run starts faster. */
  readonly needsServers: boolean;
  readonly mutants: readonly Mutant[];
}
