/**
 * The tree of scopes: what can end, and who must be told. This is the only file that changes it.
 *
 * Invariants (tests cite them by number):
 *
 *  1. Done is for ever: the first cancellation wins for `err` and `cause`, set together.
 *  2. `ctx.err() !== undefined` at every node of an ended subtree from the moment `cancel()` has
 *     begun, inside every listener too; `ctx.signal.aborted` as well, as read through the context
 *     (reading `.signal` of a done context aborts it first; that nesting is bounded, MAX_NESTING).
 *     A signal held from earlier cannot change inside a blocked loop.
 *  3. When `cancel()` returns, every descendant is done and every abort listener has run: per
 *     context by registration, parents before children. `afterFunc` callbacks run in a microtask,
 *     so neither a slow nor a throwing one reaches the canceler or its neighbours.
 *  4. An earlier parent deadline wins; a done parent gives a child that is done at birth with the
 *     parent's err and cause.
 *  5. Nothing is left behind: after a context ends, no timer, listener or link of it remains
 *     anywhere, foreign signals and foreign contexts included.
 *  6. A deadline of any size works; NaN and non-dates throw; past ones are done at birth. A
 *     deadline's timer never keeps the process alive.
 *  7. Unwatched is free: no timer, no AbortSignal, no link on the parent. Watched is undone when
 *     the last watcher leaves or the context ends. Nothing of ours reads `.signal` by itself.
 *  8. Values never cross a boundary unless the boundary names them.
 *
 * How: ends are *pulled* (`endOf` asks the ancestors and the clock) and *pushed* only along
 * watches. Which of two reasons came first is decided by when each happened, never by when
 * somebody looked; so looking, in whatever order, never changes an outcome.
 */
import { now } from "./clock.ts";
import { announce } from "./channels.ts";
import { newController } from "./controller.ts";
import { reportUnhandled } from "./report-unhandled.ts";
import { End, untimed, type EndKind } from "./end.ts";

/** How many abort dispatches one read of `.signal` inside an abort listener may nest. */
export const MAX_NESTING = 64;

/** Where the earliest deadline at or above a scope stands. */
export interface Limit {
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Milliseconds since the epoch. */
  wall(): number;
}

/**
 * Counts the endings that somebody else could have to learn of by asking. A scope that was seen
 * alive at this count is alive still, however deep it lies.
 */
let endEpoch = 0;
/** For `seen`: something above can end without being counted, so it is asked each time. */
export const ALWAYS_PROBE = -1;

/** Changes whenever a scope that others depend on has been ended; expiry does not count. */
export function currentEndEpoch(): number {
  return endEpoch;
}

/** What can end. Contexts are handles on a scope; nothing here refers to a context. */
export class Scope {
  readonly parent: Scope | undefined;
  /** The earliest deadline at or above; `this` when it is our own. */
  limit: Limit | undefined;
  end: End | undefined;
  /** The count of endings at which this scope and all above it were last known to live. */
  aliveEpoch: number;
  /** `undefined` until anybody else depends on this scope: then its end needs a time. */
  watch: Watch | undefined;

  constructor(parent: Scope | undefined) {
    this.parent = parent;
    this.watch = undefined;
    if (parent === undefined) {
      this.limit = undefined;
      this.end = undefined;
      this.aliveEpoch = endEpoch;
    } else {
      this.limit = parent.limit;
      this.end = parent.end;
      this.aliveEpoch = parent.aliveEpoch;
      dependOn(parent);
    }
  }

  /** Why this scope has ended by itself, parents aside, at the monotonic time `time`. */
  probe(_time: number): End | undefined {
    return undefined;
  }

  /** How a context with this scope was derived, in Go's words. */
  describe(): string {
    return "WithCancel";
  }

  /** The scope is watched from now on: start what will push its own end, and say how to stop that. */
  arm(): (() => void) | undefined {
    return undefined;
  }
}

/** A place in the list of those who want to be told of a scope's end, in order of registration. */
export abstract class Link {
  host: Watch | undefined = undefined;
  before: Link | undefined = undefined;
  after: Link | undefined = undefined;
}

/** What runs in a microtask after the whole subtree is done. */
export abstract class Callback extends Link {
  /** Set when the scope has ended: from then on the callback will run. */
  end: End | undefined = undefined;
  abstract onDone(): void;
}

/** Ties a scope to one that is not its parent: see join.ts. */
export class Tie extends Link {
  readonly scope: Scope;
  constructor(scope: Scope) {
    super();
    this.scope = scope;
  }
}

/** What a scope has only while somebody watches it; its place in the list of its parent's watch. */
export class Watch extends Link {
  readonly scope: Scope;
  first: Link | undefined = undefined;
  last: Link | undefined = undefined;
  controller: AbortController | undefined = undefined;
  /** What `arm` returned. */
  disarm: (() => void) | undefined = undefined;
  /** A scope that listens from birth stays watched without watchers. */
  pinned = false;
  /** Others depend on when the scope ends, as `DEPENDED_ON` says where there is no watch. */
  timed = false;
  constructor(scope: Scope) {
    super();
    this.scope = scope;
  }
}

/** Stands in `scope.watch` for: nobody watches, but others depend on when it ends. */
const TIMED_UNWATCHED = new Watch(new Scope(undefined));
TIMED_UNWATCHED.timed = true;

/** Somebody will ask when this scope ended, or must learn of it by asking. */
export function dependOn(scope: Scope): void {
  if (scope.watch === undefined) scope.watch = TIMED_UNWATCHED;
  else scope.watch.timed = true;
}

export function isWatched(scope: Scope): boolean {
  return scope.watch !== undefined && scope.watch !== TIMED_UNWATCHED;
}

// ---------------------------------------------------------------------------------- pull

/** How `scope` has ended, or `undefined` while it lives. Runs no listener: a pending push is a microtask. */
export function endOf(scope: Scope): End | undefined {
  if (scope.end !== undefined) return scope.end;
  const limit = scope.limit;
  if (limit === undefined) return scope.aliveEpoch === endEpoch ? undefined : pull(scope, 0);
  const time = now();
  return time < limit.at && scope.aliveEpoch === endEpoch ? undefined : pull(scope, time);
}

function pull(scope: Scope, time: number): End | undefined {
  const { limit } = scope;
  if (scope.aliveEpoch !== ALWAYS_PROBE && (limit === undefined || time < limit.at)) {
    let known: Scope | undefined = scope;
    while (known !== undefined && known.end === undefined && known.aliveEpoch !== endEpoch)
      known = known.parent;
    if (known?.end === undefined) {
      for (let s: Scope | undefined = scope; s !== known; s = s?.parent)
        if (s) s.aliveEpoch = endEpoch;
      return undefined;
    }
  }
  const path: Scope[] = [];
  let above: Scope | undefined = scope;
  for (; above !== undefined && above.end === undefined; above = above.parent) path.push(above);
  let end = above?.end;
  let top: Scope | undefined;
  for (let s = path.pop(); s !== undefined; s = path.pop()) {
    end = decideEnd(s, end, time);
    if (end !== undefined) top ??= s;
  }
  if (top !== undefined && isWatched(top)) pushLater(top);
  return end;
}

/** Decides between a scope's own reason and its parent's end. */
function decideEnd(scope: Scope, above: End | undefined, time: number): End | undefined {
  if (scope.end !== undefined) return scope.end;
  const own = scope.probe(time);
  // A foreign `err()` may end its context while it is asked, and so this scope.
  if (scope.end !== undefined) return scope.end;
  const end = earlier(above, own);
  if (end !== undefined) {
    scope.end = end;
    if (end === own) announce(end);
  } else if (scope.aliveEpoch !== ALWAYS_PROBE) scope.aliveEpoch = endEpoch;
  return end;
}

/** The end that came first. At a tie a deadline was before a cancellation; else `a`, the parent's. */
export function earlier(a: End | undefined, b: End | undefined): End | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.at === b.at) return b.kind === "deadline" && a.kind !== "deadline" ? b : a;
  return b.at < a.at ? b : a;
}

// ---------------------------------------------------------------------------------- push

/** Ends `scope` now, unless it has ended before: idempotent, waits for nobody. */
export function cancel(scope: Scope, kind: EndKind, cause: unknown): void {
  if (endOf(scope) === undefined) {
    // Where nobody depends on it there is no need to read the clock or to be counted.
    const timed = scope.watch?.timed === true;
    finish(scope, timed ? new End(kind, cause, now()) : untimed(kind, cause));
    if (timed) endEpoch++;
  }
  push(scope);
}

/** Ends `scope` with a known record, unless it has ended before. */
export function conclude(scope: Scope, end: End): void {
  if (endOf(scope) === undefined) {
    finish(scope, end);
    endEpoch++;
  }
  push(scope);
}

/** For a new scope, which nobody can be watching yet: those above may have ended, or else itself. */
export function endAtBirth(scope: Scope, above: End | undefined, own: End | undefined): void {
  scope.end ??= above;
  if (scope.end === undefined && own !== undefined) finish(scope, own);
}

function finish(scope: Scope, end: End): void {
  scope.end = end;
  announce(end);
}

function pushLater(scope: Scope): void {
  void Promise.resolve().then(() => {
    push(scope);
  });
}

/**
 * Tells everyone who watches `top`, which has ended: first every scope below is marked, then
 * signals abort, then callbacks are queued. Iterative, because trees can be a million deep.
 */
export function push(top: Scope): void {
  if (!isWatched(top)) return;
  const only = top.watch as Watch;
  if (only.host !== undefined) unlink(only);
  if (only.first === undefined && only.controller !== undefined) {
    disarm(only);
    abort(only);
    return;
  }
  const scopes = [top];
  let signals: Watch[] | undefined;
  let callbacks: Callback[] | undefined;
  for (let i = 0; i < scopes.length; i++) {
    const scope = scopes[i] as Scope;
    const { watch, end } = scope;
    if (watch === undefined || watch === TIMED_UNWATCHED || end === undefined) continue;
    disarm(watch);
    if (watch.controller === undefined) scope.watch = TIMED_UNWATCHED;
    else (signals ??= []).push(watch);
    let link = watch.first;
    watch.first = watch.last = undefined;
    // All are free before the first is told: telling can run foreign code, which may take one back.
    for (let l = link; l !== undefined; l = l.after) l.host = l.before = undefined;
    while (link !== undefined) {
      const next: Link | undefined = link.after;
      link.after = undefined;
      if (link instanceof Callback) {
        link.end = end;
        (callbacks ??= []).push(link);
      } else if (link instanceof Watch) {
        if (decideEnd(link.scope, end, end.at) !== undefined) scopes.push(link.scope);
      } else if (link instanceof Tie) {
        const { parent } = link.scope;
        const above = parent === undefined ? undefined : endOf(parent);
        if (decideEnd(link.scope, above, end.at) !== undefined) scopes.push(link.scope);
      }
      link = next;
    }
  }
  // The callbacks first, because they run later: what listeners register comes after them.
  if (callbacks !== undefined) runLater(callbacks);
  if (signals !== undefined) for (const watch of signals) abort(watch);
}

function abort(watch: Watch): void {
  // A second time it does nothing; asking first would cost more.
  watch.controller?.abort(watch.scope.end?.error);
}

/** Registers a callback that runs after the end, in a microtask, even if the end has been already. */
export function addCallback(scope: Scope, callback: Callback): void {
  // Where the push of a known end is yet to come, those who wait for it go first.
  const isPending = endOf(scope) !== undefined && scope.watch?.first !== undefined;
  const watch = isPending ? scope.watch : scope.end === undefined ? watchOf(scope) : undefined;
  if (watch !== undefined) append(watch, callback);
  else {
    callback.end = scope.end;
    runLater([callback]);
  }
}

function runLater(callbacks: Callback[]): void {
  void Promise.resolve().then(() => {
    for (const callback of callbacks) callback.onDone();
  });
}

// ---------------------------------------------------------------------------------- watch

/**
 * Watches a live scope, and through it all above: their ends will be pushed here. `undefined` if
 * starting to listen has found that it has ended, and then everyone has been told.
 */
export function watchOf(scope: Scope): Watch | undefined {
  if (isWatched(scope)) return scope.watch;
  const bottom = watchAlone(scope);
  let top = bottom;
  for (let above = scope.parent; above !== undefined; above = above.parent) {
    const known = isWatched(above);
    const watch = known ? (above.watch as Watch) : watchAlone(above);
    append(watch, top);
    if (known) break;
    top = watch;
  }
  // Only now, that every end would be pushed down to here.
  for (let watch: Watch | undefined = bottom; watch !== undefined;) {
    const above: Watch | undefined = watch === top ? undefined : watch.host;
    arm(watch, bottom);
    watch = above;
  }
  return scope.watch === bottom && scope.end === undefined ? bottom : undefined;
}

/** Runs foreign code, which may end the scope, unwatch it, or throw. */
function arm(watch: Watch, bottom: Watch): void {
  const { scope } = watch;
  const isCurrent = (): boolean => scope.watch === watch && scope.end === undefined;
  if (!isCurrent()) return;
  try {
    watch.disarm = scope.arm();
  } catch (error) {
    leave(bottom);
    throw error;
  }
  if (!isCurrent()) disarm(watch);
}

function watchAlone(scope: Scope): Watch {
  const watch = new Watch(scope);
  watch.timed = scope.watch === TIMED_UNWATCHED;
  scope.watch = watch;
  return watch;
}

function append(host: Watch, link: Link): void {
  link.host = host;
  link.before = host.last;
  if (host.last === undefined) host.first = link;
  else host.last.after = link;
  host.last = link;
}

/** Ties a scope to a live one that is not its parent; to no effect if that has just ended. */
export function tie(to: Scope, scope: Scope): Tie {
  const link = new Tie(scope);
  const watch = watchOf(to);
  if (watch !== undefined) append(watch, link);
  dependOn(to);
  return link;
}

function remove(link: Link): Watch | undefined {
  const { host, before, after } = link;
  if (host === undefined) return undefined;
  if (before === undefined) host.first = after;
  else before.after = after;
  if (after === undefined) host.last = before;
  else after.before = before;
  link.host = link.before = link.after = undefined;
  return host;
}

/** Takes a link back. A scope whose last watcher leaves is unwatched, and so on upwards. */
export function unlink(link: Link): void {
  leave(remove(link));
}

function leave(left: Watch | undefined): void {
  for (let watch = left; watch !== undefined; watch = remove(watch)) {
    if (watch.first !== undefined || watch.controller !== undefined || watch.pinned) return;
    watch.scope.watch = watch.timed ? TIMED_UNWATCHED : undefined;
    disarm(watch);
  }
}

/** Runs foreign code too; what it throws is nobody's here, and is reported as a listener's would be. */
function disarm(watch: Watch): void {
  const stop = watch.disarm;
  watch.disarm = undefined;
  try {
    stop?.();
  } catch (error) {
    reportUnhandled(error);
  }
}

/** Whether `signal` is what this scope gives out; makes none. */
export function gives(scope: Scope, signal: AbortSignal): boolean {
  return scope.watch?.controller?.signal === signal;
}

let nesting = 0;

/** The scope's signal, made when first asked for; already aborted if the scope has ended. */
export function signalOf(scope: Scope): AbortSignal {
  if (endOf(scope) === undefined) watchOf(scope);
  if (!isWatched(scope)) scope.watch = new Watch(scope);
  const watch = scope.watch as Watch;
  if (watch.controller === undefined) {
    watch.controller = newController();
    // Nobody listens to a new signal, so aborting it cannot nest.
    if (scope.end !== undefined) abort(watch);
  } else if (scope.end !== undefined && nesting < MAX_NESTING) {
    nesting++;
    try {
      abort(watch);
    } finally {
      nesting--;
    }
  }
  return watch.controller.signal;
}
