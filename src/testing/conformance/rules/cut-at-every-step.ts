/** Connections that are cut at every step of an operation. The pool must recover. */
import { background, withTimeout } from "../../../index.ts";
import type { AdapterUnderTest } from "../adapter.ts";
import { check } from "../expect.ts";
import { formsOf, runInTransaction } from "../forms.ts";
import type { Link } from "../relayed.ts";
import { nextTag, show, type Form, type Stage } from "../stage.ts";
import type { Draft, WithStage } from "../test.ts";
import { limited, outcomeOf, until } from "../time.ts";
import { without } from "./skips.ts";

const STOP_TIMEOUT = 100;
/** Milliseconds of work. */
const WORK = 20;
/** Milliseconds for an operation to settle after its connection was cut, and for the pool to recover. */
const LIMIT = 5_000;
/** Milliseconds for one operation that finds out whether the pool has recovered. */
const ATTEMPT = 1_000;
/** More steps than an operation should have. */
const MAX_STEPS = 200;

/** How the connection of one message is cut: what happens to it, and when the context ends. */
interface Cut {
  readonly name: string;
  /** Whether the connection is reset. Otherwise it passes nothing on any more, and stays open. */
  readonly resets: boolean;
  /** When the context ends. "sent" is when the client sends the work, before the steps are counted. */
  readonly cancels: "never" | "sent" | "cut";
}

const CUTS: readonly Cut[] = [
  { name: "was reset", resets: true, cancels: "never" },
  { name: "was reset during the stop", resets: true, cancels: "sent" },
  { name: "fell silent when the context ended", resets: false, cancels: "cut" },
];

export function cutAtEveryStep<Db>(adapter: AdapterUnderTest<Db>): Draft<Db>[] {
  const [plain] = formsOf(adapter);
  return [...formsOf(adapter), ...unfinished(adapter)].map((form) => ({
    name: `${form.name} whose connection is cut at any step leaves a pool that serves the next operation`,
    skip: without(adapter, "server"),
    limits: 6,
    run: async (withStage) => {
      for (const cut of CUTS) {
        // A connection that reconnects does not tell an operation under a live context.
        if (cut.cancels === "never" && adapter.documented?.shared === true) continue;
        // The other forms stop as the plain one does. They differ in how they release a connection.
        if (cut.cancels !== "never" && form.name !== plain?.name) continue;
        await cutOnce(withStage, form, cut);
      }
    },
  }));
}

/** Forms that end with a rollback. */
function unfinished<Db>(adapter: AdapterUnderTest<Db>): Form<Db>[] {
  const forms: Form<Db>[] = [];
  if (adapter.transaction !== undefined) {
    forms.push({
      name: "a transaction whose function throws",
      run: (db, ctx, task) =>
        runInTransaction(adapter, db, ctx, async (tx) => {
          await tx.run(ctx, task);
          throw new Error("rolls the transaction back");
        }),
    });
  }
  if (adapter.connection !== undefined) {
    forms.push({
      name: "a connection that is left inside a transaction",
      run: async (db, ctx, task) =>
        await adapter.connection?.(db, ctx, async (own) => {
          await own.begin?.(ctx);
          await own.run(ctx, task);
        }),
    });
  }
  return forms;
}

/** Runs the form once for each of its steps, on the same pool, and cuts the connection at that step. */
async function cutOnce<Db>(withStage: WithStage<Db>, form: Form<Db>, cut: Cut): Promise<void> {
  await withStage({ stopTimeout: STOP_TIMEOUT }, async (stage) => {
    await stage.expectWhole("at the beginning");
    for (let step = 0; await cutAt(stage, form, cut, step); step++) {
      check(step < MAX_STEPS, `${form.name} has more than ${MAX_STEPS} steps`);
    }
  });
}

/** Returns false if the operation has ended before this step. */
async function cutAt<Db>(
  stage: Stage<Db>,
  form: Form<Db>,
  { name, resets, cancels }: Cut,
  step: number,
): Promise<boolean> {
  const ctx = stage.context();
  const tag = nextTag();
  const { relay } = stage;
  if (relay === undefined) return false;
  let isCounting = cancels !== "sent";
  let steps = 0;
  let broken: Link | undefined;
  /** The connection on which the client has sent the last message. */
  let writing: Link | undefined;
  relay.onMessage = ({ link, from, bytes }) => {
    if (link === broken) return "drop";
    if (!isCounting) {
      isCounting = from === "client" && bytes.includes(tag);
      if (isCounting) ctx.cancel();
      return undefined;
    }
    // What the client sends together is one step.
    const isNext = from === "client" && link === writing;
    writing = from === "client" ? link : undefined;
    if (isNext || broken !== undefined || steps++ !== step) return undefined;
    broken = link;
    if (resets) link.reset();
    if (cancels === "cut") ctx.cancel();
    return "drop";
  };
  const after = (): string =>
    `after the connection of ${form.name} ${name}, at step ${step} of its messages`;
  const running = outcomeOf(form.run(stage.db, ctx, { i: 7, ms: WORK, tag }));
  await limited(`${form.name} did not settle ${after()}`, running, LIMIT);
  stage.watchStops();
  broken?.reset();
  await recover(stage, after());
  return broken !== undefined;
}

/**
 * Waits until the pool serves an operation. The adapter may notice only at an operation that an idle
 * connection has broken, and a message that was sent meanwhile is lost.
 */
async function recover<Db>(stage: Stage<Db>, after: string): Promise<void> {
  let last = "none was tried";
  const isServed = async (): Promise<boolean> => {
    using ctx = withTimeout(background(), ATTEMPT);
    const outcome = await outcomeOf(stage.adapter.quick(stage.db, ctx, 1));
    last = show(outcome);
    return "value" in outcome;
  };
  await until(`${after}, no operation succeeds any more`, isServed, LIMIT).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}; the last one: ${last}`, { cause: error });
    },
  );
  await stage.expectWhole(after);
}
