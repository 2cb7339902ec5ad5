/**
 * The tree of scopes. A scope can end, and then notifies everything that watches it. Only this file
 * changes the tree.
 *
 * Two movements carry an end through the tree:
 *
 * - Pull: `endOf(scope)` asks the scope, its ancestors and the clock whether it has ended. It needs
 *   nothing to be registered anywhere.
 * - Push: an end travels down the watches. A scope is linked into its parent, has a timer or has an
 *   AbortController only while something watches it.
 *
 * If two ends compete, the one that happened first wins, not the one that was noticed first. So the
 * order in which contexts are asked never changes an outcome. For that, an end records its time. It
 * does so only if something has ever depended on the scope (a child, a tie, work in a ledger),
 * because reading the clock is most of the cost of a cancellation.
 *
 * Invariants (tests cite them by number):
 *
 *  1. Done is for ever. The first end decides `err()` and its cause, which are set together.
 *  2. From the moment `cancel()` begins, `ctx.err()` returns an error at every context of the
 *     subtree, also inside a listener. `ctx.signal.aborted` is true there as well if it is read
 *     through the context, because a read of `.signal` of a done context aborts the signal first.
 *     Such reads nest at most MAX_NESTING deep. Beyond that, the signal that is returned may abort
 *     later. A signal object that the program has kept aborts when the push reaches it, which is
 *     not while the event loop is blocked.
 *  3. When `cancel()` returns, every context of the subtree is done and every abort listener has
 *     run. The listeners of one context run in the order of registration, and parents come before
 *     children. The callbacks of `afterFunc` run in a microtask, so that a slow or throwing
 *     callback affects neither the canceler nor other callbacks.
 *  4. A parent's earlier deadline wins. A child of a done parent is done at birth, with its
 *     parent's error and cause.
 *  5. Nothing is left behind. After a context has ended, none of its timers, listeners and links
 *     remains anywhere, including on foreign signals and foreign contexts.
 *  6. A deadline of any size works. NaN and invalid dates throw. A deadline that has passed is done
 *     at birth. The timer of a deadline never keeps the process alive.
 *  7. An unwatched scope is free: it has no timer, no AbortSignal and no link on its parent. A
 *     scope is unwatched again when its last watch is removed. A scope whose `.signal` was read
 *     keeps the signal, and is watched until it ends. The core reads the `.signal` of a foreign
 *     context only while a child of that context is watched.
 *  8. A value crosses to another process or machine only if the program has named its key there.
 *     (The adapters keep this invariant, such as src/fetch. Nothing in this file does.)
 */
import { now } from "./clock.ts";
import { announce } from "./channels.ts";
import { newController } from "./controller.ts";
import { reportUnhandled } from "./report-unhandled.ts";
import { End, untimed, type EndKind } from "./end.ts";

/** How deep reads of `.signal` inside abort listeners may nest, each of which aborts a signal. */
export const MAX_NESTING = 64;

/** The earliest deadline at or above a scope. */
export interface Limit {
  /** Monotonic time, in milliseconds. */
  readonly at: number;
  /** Returns the deadline in milliseconds since the Unix epoch. */
  wall(): number;
}

/**
 * The number of ends so far that a scope elsewhere may have to find by a pull. While it does not
 * change, a scope that was live is still live, at any depth, unless a deadline has passed.
 */
let endEpoch = 0;
/**
 * The value of `aliveEpoch` for a scope that can end without a change of `endEpoch`, because the
 * scope stands for a foreign context or lies below one. Every pull probes such a scope.
 */
export const ALWAYS_PROBE = -1;

/**
 * Returns a number that changes when a scope ends that others depend on. A deadline does not change
 * it.
 */
export function currentEndEpoch(): number {
  return endEpoch;
}

let onCreate: ((part: Scope | Link) => void) | undefined;

/** Calls `fn` with each scope and link that is created from now on. For eightysix/testing only. */
export function observeTree(fn: typeof onCreate): void {
  onCreate = fn;
}

/**
 * A node of the tree that can end. Several contexts can share one. A context is a handle on a
 * scope, and no scope refers to a context, so that a dropped context can be collected.
 */
export class Scope {
  readonly parent: Scope | undefined;
  /** The earliest deadline at or above this scope. It is `this` if the deadline is its own. */
  limit: Limit | undefined;
  end: End | undefined;
  /** The `endEpoch` at which this scope and its ancestors were last known to be live. */
  aliveEpoch: number;
  /** `undefined` until something depends on this scope. From then on its end needs a time. */
  watch: Watch | undefined;

  constructor(parent: Scope | undefined) {
    onCreate?.(this);
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

  /**
   * Returns the scope's own end, if it has one at the monotonic time `time`. The end of its parent
   * does not count.
   */
  probe(_time: number): End | undefined {
    return undefined;
  }

  /** Returns how a context with this scope was derived, in Go's words. */
  describe(): string {
    return "WithCancel";
  }

  /**
   * Starts whatever pushes the scope's own end, such as a timer. Called when the scope becomes
   * watched. Returns a function that stops it.
   */
  arm(): (() => void) | undefined {
    return undefined;
  }
}

/** An entry in the list of a watch. The list is in the order of registration. */
export abstract class Link {
  host: Watch | undefined = undefined;
  before: Link | undefined = undefined;
  after: Link | undefined = undefined;
  constructor() {
    onCreate?.(this);
  }
}

/** An entry that runs in a microtask after the whole subtree is done. */
export abstract class Callback extends Link {
  /** Set when the scope has ended. From then on the callback will run. */
  end: End | undefined = undefined;
  abstract onDone(): void;
}

/**
 * An entry that passes an end on to `scope`, which is not a child of the watched scope. See
 * join.ts and join-all.ts.
 */
export class Tie extends Link {
  readonly scope: Scope;
  constructor(scope: Scope) {
    super();
    this.scope = scope;
  }
}

/**
 * What a scope has only while it is watched: the list of its watchers, its controller and what
 * `arm` started. A watch is also the entry of its scope in the list of the parent's watch.
 */
export class Watch extends Link {
  readonly scope: Scope;
  first: Link | undefined = undefined;
  last: Link | undefined = undefined;
  controller: AbortController | undefined = undefined;
  /** The function that `arm` returned. */
  disarm: (() => void) | undefined = undefined;
  /** Whether the scope stays watched while the list is empty, because it listens from birth. */
  pinned = false;
  /**
   * Whether others depend on when the scope ends. If the scope has no watch, `TIMED_UNWATCHED` says
   * so.
   */
  timed = false;
  constructor(scope: Scope) {
    super();
    this.scope = scope;
  }
}

/**
 * The value of `scope.watch` for an unwatched scope whose time of end others depend on. This shared
 * object takes the place of a field of its own, which would be 8 bytes in each scope.
 */
const TIMED_UNWATCHED = new Watch(new Scope(undefined));
TIMED_UNWATCHED.timed = true;

/** Records that something depends on when `scope` ends, or has to find its end by a pull. */
export function dependOn(scope: Scope): void {
  if (scope.watch === undefined) scope.watch = TIMED_UNWATCHED;
  else scope.watch.timed = true;
}

/** Returns whether `scope` has a watch. */
export function isWatched(scope: Scope): boolean {
  return scope.watch !== undefined && scope.watch !== TIMED_UNWATCHED;
}

// ---------------------------------------------------------------------------------- pull
// Finding out whether a scope has ended by asking it, its ancestors and the clock.

/**
 * Returns how `scope` ended, or `undefined` while it is live. Runs no listener. If it finds an end
 * that must be pushed, a microtask pushes it.
 */
export function endOf(scope: Scope): End | undefined {
  if (scope.end !== undefined) return scope.end;
  const limit = scope.limit;
  if (limit === undefined) return scope.aliveEpoch === endEpoch ? undefined : pull(scope, 0);
  const time = now();
  return time < limit.at && scope.aliveEpoch === endEpoch ? undefined : pull(scope, time);
}

/** Finds the end of a scope by asking its ancestors, from the top down. */
function pull(scope: Scope, time: number): End | undefined {
  const { limit } = scope;
  // The short way, if no deadline has passed: search upwards for an end or for a scope that is
  // live.
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
  // The long way: probe each scope, from the outermost one that is not known to have ended.
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

/**
 * Decides whether a scope has ended. If it has, decides whether its own end or that of its parent
 * came first.
 */
function decideEnd(scope: Scope, above: End | undefined, time: number): End | undefined {
  if (scope.end !== undefined) return scope.end;
  const own = scope.probe(time);
  // While the `err()` of a foreign context runs, it can end that context and so this scope.
  if (scope.end !== undefined) return scope.end;
  const end = earlier(above, own);
  if (end !== undefined) {
    scope.end = end;
    if (end === own) announce(end);
  } else if (scope.aliveEpoch !== ALWAYS_PROBE) scope.aliveEpoch = endEpoch;
  return end;
}

/**
 * Returns the end that came first. If both have the same time, a deadline comes before a
 * cancellation, and `a` (the parent's) before `b`.
 */
export function earlier(a: End | undefined, b: End | undefined): End | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  if (a.at === b.at) return b.kind === "deadline" && a.kind !== "deadline" ? b : a;
  return b.at < a.at ? b : a;
}

// ---------------------------------------------------------------------------------- push
// Ending a scope, and notifying everything that watches it.

/** Ends `scope` now, unless it has ended already, and pushes the end. */
export function cancel(scope: Scope, kind: EndKind, cause: unknown): void {
  if (endOf(scope) === undefined) {
    // If nothing depends on this scope, its end needs no time and no new epoch.
    const isTimed = scope.watch?.timed === true;
    setEnd(scope, isTimed ? new End(kind, cause, now()) : untimed(kind, cause));
    if (isTimed) endEpoch++;
  }
  push(scope);
}

/** Ends `scope` with the given end, unless it has ended already, and pushes the end. */
export function conclude(scope: Scope, end: End): void {
  if (endOf(scope) === undefined) {
    setEnd(scope, end);
    endEpoch++;
  }
  push(scope);
}

/** Ends a new scope, which cannot be watched yet, with the end of a parent or else with its own. */
export function endAtBirth(scope: Scope, above: End | undefined, own: End | undefined): void {
  scope.end ??= above;
  if (scope.end === undefined && own !== undefined) setEnd(scope, own);
}

function setEnd(scope: Scope, end: End): void {
  scope.end = end;
  announce(end);
}

function pushLater(scope: Scope): void {
  void Promise.resolve().then(() => {
    push(scope);
  });
}

/**
 * Pushes the end of `top` to everything that watches it. First it marks all scopes below as ended,
 * then it queues the callbacks, then it aborts the signals. It does not recurse, because a tree can
 * be a million scopes deep.
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
    // A scope that a tie has ended is still in the list of its parent, which may live on.
    if (watch.host !== undefined) unlink(watch);
    disarm(watch);
    if (watch.controller === undefined) scope.watch = TIMED_UNWATCHED;
    else (signals ??= []).push(watch);
    let link = watch.first;
    watch.first = watch.last = undefined;
    // Detaches all entries first, because `decideEnd` can run foreign code, which may remove an
    // entry.
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
  // Queued before the signals abort, so that a callback that a listener registers runs after these.
  if (callbacks !== undefined) runLater(callbacks);
  if (signals !== undefined) for (const watch of signals) abort(watch);
}

function abort(watch: Watch): void {
  // A second abort does nothing. To check for it would cost more.
  watch.controller?.abort(watch.scope.end?.error);
}

/**
 * Registers a callback, which runs in a microtask after the end of `scope`, or in a new microtask
 * if `scope` has ended.
 */
export function addCallback(scope: Scope, callback: Callback): void {
  // If the end is known but not pushed yet, the callbacks that wait for the push run first.
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
// Registering for the end of a scope, and removing the registration.

/**
 * Watches a live scope and its ancestors, so that their ends are pushed to it. Returns `undefined`
 * if `arm` finds that the scope has ended. The end has then been pushed already.
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
  // Armed after all links exist, so that an end that `arm` finds is pushed down to `scope`.
  for (let watch: Watch | undefined = bottom; watch !== undefined;) {
    const above: Watch | undefined = watch === top ? undefined : watch.host;
    arm(watch, bottom);
    watch = above;
  }
  return scope.watch === bottom && scope.end === undefined ? bottom : undefined;
}

/** Starts listening. Runs foreign code, which may end the scope, unwatch it, or throw. */
function arm(watch: Watch, bottom: Watch): void {
  const { scope } = watch;
  const isCurrent = (): boolean => scope.watch === watch && scope.end === undefined;
  if (!isCurrent()) return;
  try {
    watch.disarm = scope.arm();
  } catch (error) {
    unwatchIfIdle(bottom);
    throw error;
  }
  if (!isCurrent()) disarm(watch);
}

/** Gives `scope` a watch that is not linked into its parent. */
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

/**
 * Ties `scope` to a live scope that is not its parent, so that the end of `to` is pushed to it. Has
 * no effect if `to` turns out to have ended.
 */
export function tie(to: Scope, scope: Scope): Tie {
  const link = new Tie(scope);
  const watch = watchOf(to);
  if (watch !== undefined) append(watch, link);
  dependOn(to);
  return link;
}

/** Removes an entry from its list and returns the watch that had it. */
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

/**
 * Removes an entry. If that leaves its scope without watchers, unwatches the scope, and so on
 * upwards.
 */
export function unlink(link: Link): void {
  unwatchIfIdle(remove(link));
}

/** Unwatches the scope of a watch if nothing watches it, and then its ancestors. */
function unwatchIfIdle(left: Watch | undefined): void {
  for (let watch = left; watch !== undefined; watch = remove(watch)) {
    if (watch.first !== undefined || watch.controller !== undefined || watch.pinned) return;
    watch.scope.watch = watch.timed ? TIMED_UNWATCHED : undefined;
    disarm(watch);
  }
}

/**
 * Stops listening. Runs foreign code. An error of that code is reported, like that of an abort
 * listener.
 */
function disarm(watch: Watch): void {
  const stop = watch.disarm;
  watch.disarm = undefined;
  try {
    stop?.();
  } catch (error) {
    reportUnhandled(error);
  }
}

/** Returns whether `signal` is the signal of `scope`. Does not create a signal. */
export function isSignalOf(scope: Scope, signal: AbortSignal): boolean {
  return scope.watch?.controller?.signal === signal;
}

/** How deep calls of `signalOf` in abort listeners are nested at the moment. */
let nesting = 0;

/**
 * Returns the signal of `scope`, which is created on the first call. It is aborted if the scope has
 * ended.
 */
export function signalOf(scope: Scope): AbortSignal {
  if (endOf(scope) === undefined) watchOf(scope);
  if (!isWatched(scope)) scope.watch = new Watch(scope);
  const watch = scope.watch as Watch;
  if (watch.controller === undefined) {
    watch.controller = newController();
    // A new signal has no listeners, so this abort cannot nest.
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
