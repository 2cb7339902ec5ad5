/** Runs one framework with clients that disconnect at random, and records what they leave behind. */
import { AsyncLocalStorage } from "node:async_hooks";
import { working } from "../../../src/index.ts";
import { until } from "../wait.ts";
import { random } from "../race.ts";
import { newAccount, type Account } from "./account.ts";
import { behave } from "./behavior.ts";
import { judge, type StartedRequest } from "./judge.ts";
import { Collectable, collectGarbage, Escaped, Timers } from "./leftovers.ts";
import { planVisit, TIMEOUT, type Draw, type RequestPlan, type VisitPlan } from "./plan.ts";
import { Pulse } from "./pulse.ts";
import { Resident } from "./resident.ts";
import type { Stage, Subject, Visited } from "./stage.ts";

/** The number of clients at a time. */
const VISITORS = 40;

/** The number of requests after which all clients but one leave, and every request is checked. */
const WAVE = 5_000;

/** A server of one framework, its visitors, and the account of the run. */
class Chaos {
  readonly held = new Collectable();
  readonly pulse = new Pulse();
  readonly account: Account;
  readonly #subject: Subject;
  readonly #plans = new Map<number, RequestPlan>();
  readonly #started = new Map<number, StartedRequest>();
  readonly #current = new AsyncLocalStorage<StartedRequest>();
  /** How many handlers are running. Those that ignore their context run longer than their request. */
  #running = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
    this.account = newAccount(subject.framework.name);
  }

  async serve(): Promise<Stage> {
    const listener = await this.#subject.framework.app(
      async (ctx, body, reply) => {
        const request = this.#current.getStore();
        if (request === undefined) throw new Error("a handler runs without a request");
        request.ctx = ctx;
        this.held.add(ctx);
        if (request.plan.watched === "by signal") this.held.add(ctx.signal);
        this.#running++;
        try {
          return await behave(request.plan, ctx, body, reply);
        } finally {
          this.#running--;
        }
      },
      { timeout: TIMEOUT },
    );
    return await this.#subject.serve((req, res) => {
      const id = Number(req.url?.slice(2));
      const plan = this.#plans.get(id);
      if (plan === undefined)
        throw new Error(`no visitor has sent a request for ${String(req.url)}`);
      const request = { plan, at: performance.now(), ctx: undefined };
      this.#started.set(id, request);
      this.#current.run(request, listener, req, res);
    });
  }

  /** Sends this many requests, waits until all of them have ended, and checks each. */
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
            throw new Error(`the server did not serve ${JSON.stringify(plan)}`, { cause });
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
    await untilOrTimeout(() => server.sockets.size === 1);
    await untilOrTimeout(() => [...this.#started.values()].every(hasEnded));
    await untilOrTimeout(() => this.#running === 0);
    // A response can arrive before middleware has removed its listeners, also the very first one.
    await untilOrTimeout(() => resident.addedListeners <= 0);
    account.socketsOpen += server.sockets.size - 1;
    account.listenersMore += Math.max(0, resident.addedListeners);
    for (const one of visited) this.#check(one);
    this.#started.clear();
    this.#plans.clear();
  }

  #expect(plan: VisitPlan): VisitPlan {
    for (const request of plan.requests) this.#plans.set(request.id, request);
    this.account.requests += plan.requests.length;
    return plan;
  }

  #check(visited: Visited): void {
    const { account } = this;
    const { how } = visited.left;
    if (how === "FIN") account.FIN++;
    else if (how === "RST") account.RST++;
    else if (how === "half-close") account.halfClose++;
    else account.stayed++;
    for (const { id } of visited.plan.requests) {
      const request = this.#started.get(id);
      if (request?.ctx === undefined) continue;
      if (request.ctx.err() === undefined) account.contextsOpen++;
      for (const job of working(request.ctx)) {
        account.workLeft++;
        account.complaints.push(
          `${job.kind} ${job.what ?? ""} is still running, ${JSON.stringify(visited)}`,
        );
      }
      const { isDisconnected, end, missed, complaint } = judge(
        request,
        visited,
        this.#subject,
        this.pulse,
      );
      if (isDisconnected) account.disconnected++;
      if (isDisconnected && end === "ClientDisconnected") account.noticed++;
      if (missed) account.missed++;
      if (complaint !== undefined) account.complaints.push(complaint);
      request.ctx = undefined;
    }
  }
}

function hasEnded({ ctx }: StartedRequest): boolean {
  return ctx === undefined || (ctx.err() !== undefined && working(ctx).length === 0);
}

/** As `until`, without an error: the account reports what is wrong. */
async function untilOrTimeout(condition: () => boolean): Promise<void> {
  await until(condition).catch(() => undefined);
}

/** Sends about this many requests, which depend on the seed only, and returns the account of the run. */
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
  account.heap[0] ||= account.heap[1]; // if there was only one wave
  account.contextsHeld = held.count;
  account.escaped = [...escaped.errors];
  return account;
}
