/** Several ways to write the same two services: A calls B, and B has the resource. */
import type { IncomingMessage, RequestListener } from "node:http";
import { background, hasBudget, type Context } from "eightysix";
import { fetch as fetchWith, wrapFetch } from "eightysix/fetch";
import { admission, handler, OverloadedError, type Admission } from "eightysix/http";
import { COST, type Resource } from "./resource.ts";

export interface Arm {
  readonly name: string;
  /** Returns service A, which passes the request on to `back`, and the response back. */
  front(back: string): RequestListener;
  /** Returns service B, in which the resource serves the request. A new B knows no cost yet. */
  back(resource: Resource): RequestListener;
}

type Serve = (ctx: Context, id: string) => Promise<unknown>;

const id = (req: IncomingMessage): string => req.url ?? "";

/** Returns A as it should be written. `deadline` says whether it reads the client's deadline. */
const frontWith = (fetch: typeof fetchWith, back: string, deadline: boolean): RequestListener =>
  handler(
    async (ctx, req, res) => {
      const answer = await fetch(ctx, back + id(req));
      res.statusCode = answer.status;
      res.end(await answer.text());
    },
    { deadline },
  );
const backWith = (serve: Serve, deadline: boolean): RequestListener =>
  handler(
    async (ctx, req, res) => {
      await serve(ctx, id(req));
      res.end("served\n");
    },
    { deadline },
  );

const backBehind = (gate: Admission, resource: Resource): RequestListener =>
  backWith((ctx, id) => gate.run(ctx, () => resource.use(ctx, id)), true);

/** An A that tells B how much time is left. A and B read the header `x-request-timeout-ms`. */
const sendsDeadline = {
  front: (back: string) => frontWith(wrapFetch({ trusted: ["127.0.0.1"] }), back, true),
};

export const arms: readonly Arm[] = [
  {
    name: "nothing",
    front: (back) => (req, res) => {
      const answer = async (): Promise<void> => {
        const { status, text } = await get(back + id(req));
        res.statusCode = status;
        res.end(text);
      };
      answer().catch(() => res.destroy());
    },
    back: (resource) => (req, res) => {
      void resource.use(background(), id(req)).then(() => res.end("served\n"));
    },
  },
  {
    name: "cancel on disconnect",
    front: (back) => frontWith(fetchWith, back, false),
    back: (resource) => backWith((ctx, id) => resource.use(ctx, id), false),
  },
  {
    name: "… and a deadline, `hasBudget` before the start",
    ...sendsDeadline,
    back: (resource) =>
      backWith((ctx, id) => {
        return resource.use(ctx, id, () => {
          if (!hasBudget(ctx, COST)) throw new OverloadedError(1, "too late");
        });
      }, true),
  },
  {
    name: "… and a deadline, `admission({ concurrency: 1 })`",
    ...sendsDeadline,
    back: (resource) => backBehind(admission({ concurrency: 1 }), resource),
  },
  {
    name: "… and a deadline, `admission()` without `concurrency`",
    ...sendsDeadline,
    back: (resource) => backBehind(admission(), resource),
  },
];

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url);
  return { status: response.status, text: await response.text() };
}
