/**
 * Blocking commands of Redis, each alone on a connection of ours, so that nobody waits behind it
 * and `CLIENT UNBLOCK` can hit nothing else. The user's client serves as the model only: it may be
 * in subscriber mode, inside a MULTI, or busy.
 *
 * A connection is lent to one command at a time, and comes back when the command has settled *and*
 * no UNBLOCK for it is on its way. It never reconnects, since that would change its CLIENT ID.
 */
import { throwIfDone, type Context } from "../../index.ts";
import { Places } from "../places.ts";
import { Link, type Connection } from "./link.ts";
import { whileLive } from "./commands.ts";
import { runStoppable } from "../stoppable.ts";

export interface BlockingOptions<C extends Connection> {
  readonly kind: string;
  /** Begins to open a connection. It tries for as long as the user's client would. */
  open(): C;
  /** How many blocking commands may run at once; the others wait their turn. */
  readonly max: number;
  readonly stopTimeout: number;
}

/** Milliseconds until UNBLOCK is repeated: one that came before its command has hit nothing. */
const EVERY = 3;

export class BlockingCommands<C extends Connection> {
  readonly #options: BlockingOptions<C>;
  readonly #places: Places;
  readonly #links = new Set<Link<C>>();
  #idle: Link<C>[] = [];
  #control: Link<C> | undefined;
  #closed = false;

  constructor(options: BlockingOptions<C>) {
    const { max } = options;
    if (!Number.isInteger(max) || max < 1) {
      throw new TypeError(
        `maxBlocking is how many may block at once, 1 or more; got ${String(max)}`,
      );
    }
    this.#options = options;
    this.#places = new Places(max);
  }

  /** Runs `use` on a connection that is its own for so long. Rejects as `runStoppable` does. */
  async run<T>(ctx: Context, what: string, use: (connection: C) => PromiseLike<T>): Promise<T> {
    throwIfDone(ctx);
    await this.#places.take(ctx);
    let link: Link<C> | undefined;
    try {
      link = await this.#take(ctx);
      return await this.#runOn(link, ctx, what, use);
    } finally {
      if (link?.state === "ready") this.#idle.push(link);
      this.#places.give();
    }
  }

  /** For now, or for good: ends every connection, and with them what is still blocked. */
  close(forGood: boolean): void {
    this.#closed ||= forGood;
    this.#idle = [];
    this.#control = undefined;
    for (const link of this.#links) link.destroy();
    this.#links.clear();
  }

  #runOn<T>(
    link: Link<C>,
    ctx: Context,
    what: string,
    use: (connection: C) => PromiseLike<T>,
  ): Promise<T> {
    const { kind, stopTimeout } = this.#options;
    this.#openControl(); // so that it is there when it is needed
    const asked: Asked<C> = { control: undefined };
    let running = true;
    const over = (): void => void (running = false);
    return runStoppable(
      ctx,
      {
        kind,
        what,
        start() {
          const using = use(link.connection);
          using.then(over, over);
          return using;
        },
        stop: () => this.#unblock(link, () => running, asked),
        isStop: isUnblocked,
        destroy() {
          link.destroy();
          // One that does not answer would cost everybody the stop timeout. What others have asked of it
          // is in doubt then, and they give up their connections too.
          asked.control?.destroy();
        },
      },
      stopTimeout,
    );
  }

  /** Resolves when nothing that was sent can reach the connection any more. */
  async #unblock(link: Link<C>, running: () => boolean, asked: Asked<C>): Promise<void> {
    const id = await link.id;
    let doubt: { readonly error: unknown } | undefined;
    while (running()) {
      const control = this.#openControl();
      if (control.state === "opening") {
        await Promise.race([control.id.catch(() => undefined), pause()]);
        continue;
      }
      asked.control = control;
      try {
        const hit = await control.connection.command(["CLIENT", "UNBLOCK", id, "ERROR"]);
        asked.control = undefined;
        if (Number(hit) === 1) break;
      } catch (error) {
        // It may be on its way still, and hit whatever the connection does next.
        doubt = { error };
        asked.control = undefined;
        if (control.state === "ready") throw error; // refused, so it would be again
      }
      await pause();
    }
    if (doubt === undefined) return;
    while (running()) await pause();
    throw doubt.error;
  }

  async #take(ctx: Context): Promise<Link<C>> {
    let link = this.#idle.pop();
    while (link?.state === "dead") link = this.#idle.pop();
    link ??= this.#open();
    try {
      await whileLive(ctx, link.id);
    } catch (error) {
      // Its caller has left: it goes on opening, for the next one.
      if (ctx.err() !== undefined && link.state !== "dead") this.#idle.push(link);
      throw error;
    }
    return link;
  }

  #openControl(): Link<C> {
    if (this.#control === undefined || this.#control.state === "dead") this.#control = this.#open();
    return this.#control;
  }

  #open(): Link<C> {
    if (this.#closed) throw new Error("closed: blocking commands have no connections any more");
    for (const link of this.#links) if (link.state === "dead") this.#links.delete(link);
    const link = new Link(this.#options.open());
    this.#links.add(link);
    return link;
  }
}

/** The control connection that has not answered yet. */
interface Asked<C extends Connection> {
  control: Link<C> | undefined;
}

function isUnblocked(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("UNBLOCKED ");
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, EVERY));
}
