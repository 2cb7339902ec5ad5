/** One framework under clients that do what they like, and an account of what is left behind. */
import { AsyncLocalStorage } from "node:async_hooks";
import { working } from "../../../src/index.ts";
import { until } from "../wait.ts";
import { random } from "../race.ts";
import { newAccount, type Account } from "./account.ts";
import { doDeed } from "./deeds.ts";
import { judge, type Begun } from "./judge.ts";
import { Collectable, collectGarbage, Escaped, Timers } from "./leftovers.ts";
import { planVisit, TIMEOUT, type Draw, type RequestPlan, type VisitPlan } from "./plan.ts";
import { Pulse } from "./pulse.ts";
import { Resident } from "./resident.ts";
import type { Stage, Subject, Visited } from "./stage.ts";

/** So many clients at a time. */
const VISITORS = 40;

/** After so many requests all clients but one leave, and everything is looked at. */
const WAVE = 5_000;

/** A server of one framework, its visitors, and the account of it all. */
class Chaos {
  readonly held = new Collectable();
  readonly pulse = new Pulse();
  readonly account: Account;
  readonly #subject: Subject;
  readonly #plans = new Map<number, RequestPlan>();
  readonly #begun = new Map<number, Begun>();
  readonly #current = new AsyncLocalStorage<Begun>();

  constructor(subject: Subject) {
    this.#subject = subject;
    this.account = newAccount(subject.framework.name);
  }

  async serve(): Promise<Stage> {
    const listener = await this.#subject.framework.app(
      (ctx, body) => {
        const request = this.#current.getStore();
        if (request === undefined) throw new Error("a handler that runs for no request");
        request.ctx = ctx;
        this.held.add(ctx);
        if (request.plan.watched === "by signal") this.held.add(ctx.signal);
        return doDeed(request.plan, ctx, body);
      },
      { timeout: TIMEOUT },
    );
    return await this.#subject.serve((req, res) => {
      const id = Number(req.url?.slice(2));
      const plan = this.#plans.get(id);
      if (plan === undefined) throw new Error(`nobody has asked for ${String(req.url)}`);
      const request = { plan, at: performance.now(), ctx: undefined };
      this.#begun.set(id, request);
      this.#current.run(request, listener, req, res);
    });
  }

  /** Sends so many requests, waits until nothing goes on any more, and looks at each. */
  async wave(server: Stage, resident: Resident, draw: Draw, requests: number): Promise<void> {
    const { account } = this;
    const end = account.requests + requests;
    const plans: VisitPlan[] = [];
    while (account.requests < end) {
      plans.push(this.#expect(planVisit(draw, account.requests, end - account.requests)));
    }
    const visited: Visited[] = [];
    const rest = plans.values();
    const visitor = async (): Promise<void> => {
      for (const plan of rest) {
        visited.push(
          await server.visit(plan).catch((cause: unknown) => {
            throw new Error(`the server owes something to ${JSON.stringify(plan)}`, { cause });
          }),
        );
      }
    };
    let left = VISITORS;
    const visitors = Array.from({ length: VISITORS }, () => visitor().finally(() => left--));
    const stay = async (): Promise<void> => {
      while (left > 0)
        visited.push(await resident.ask(this.#expect(resident.plan(account.requests))));
    };
    await Promise.all([stay(), ...visitors]);
    await settled(() => server.sockets.size === 1);
    await settled(() => [...this.#begun.values()].every(isOver));
    account.socketsOpen += server.sockets.size - 1;
    account.listenersMore += resident.gathered;
    for (const one of visited) this.#look(one);
    this.#begun.clear();
    this.#plans.clear();
  }

  #expect(plan: VisitPlan): VisitPlan {
    for (const request of plan.requests) this.#plans.set(request.id, request);
    this.account.requests += plan.requests.length;
    return plan;
  }

  #look(visited: Visited): void {
    const { account } = this;
    const { how } = visited.left;
    if (how === "FIN") account.FIN++;
    else if (how === "RST") account.RST++;
    else if (how === "half-close") account.halfClose++;
    else account.stayed++;
    for (const { id } of visited.plan.requests) {
      const request = this.#begun.get(id);
      if (request?.ctx === undefined) continue;
      if (request.ctx.err() === undefined) account.contextsOpen++;
      for (const job of working(request.ctx)) {
        account.workLeft++;
        account.complaints.push(
          `${job.kind} ${job.what ?? ""} goes on, ${JSON.stringify(visited)}`,
        );
      }
      const { abandoned, end, missed, complaint } = judge(
        request,
        visited,
        this.#subject,
        this.pulse,
      );
      if (abandoned) account.abandoned++;
      if (abandoned && end === "ClientDisconnected") account.noticed++;
      if (missed) account.missed++;
      if (complaint !== undefined) account.complaints.push(complaint);
      request.ctx = undefined;
    }
  }
}

function isOver({ ctx }: Begun): boolean {
  return ctx === undefined || (ctx.err() !== undefined && working(ctx).length === 0);
}

/** As `until`, but it is for the account to say what has not come true. */
async function settled(condition: () => boolean): Promise<void> {
  await until(condition).catch(() => undefined);
}

/** Sends about so many requests, the same for the same seed, and looks at what is left. */
export async function chaos(
  subject: Subject,
  { requests, seed }: { requests: number; seed: number },
): Promise<Account> {
  using escaped = new Escaped();
  using timers = new Timers();
  const run = new Chaos(subject);
  const { account, held } = run;
  const weigh = () => {
    timers.forget();
    return collectGarbage(() => held.count === 0);
  };
  {
    using _ = run.pulse;
    await using stage = await run.serve();
    const resident = new Resident(await stage.connect(), stage.sockets);
    for (let wave = 0; account.requests < requests; wave++) {
      await run.wave(
        stage,
        resident,
        random(seed + wave),
        Math.min(WAVE, requests - account.requests),
      );
      if (wave === 0 && account.requests < requests) account.heap[0] = await weigh();
    }
  }
  account.timers = await timers.left();
  account.heap[1] = await weigh();
  account.heap[0] ||= account.heap[1]; // there was one wave only
  account.contextsHeld = held.count;
  account.escaped = [...escaped.errors];
  return account;
}
