/** When the answer of a query proves that both signals of its cancel request lie behind. */
import { beforeEach, expect, test } from "vitest";
import { settingsOf, type OnCancel } from "../settings.ts";
import type { StopProof } from "../operation.ts";
import { CancelableQuery } from "./cancelable-query.ts";
import type { CancelRequest } from "./cancel-request.ts";
import { answers, type ClientSide } from "./second-signal.ts";

beforeEach(() => answers.clear());

/** A query whose answer and whose request the test ends. */
class TestQuery extends CancelableQuery {
  readonly questions: string[] = [];
  readonly #answer = new AbortController();
  #close!: (proof: StopProof) => void;

  constructor(onCancel: OnCancel = "auto") {
    super(settingsOf({ onCancel }));
  }

  stop(): Promise<StopProof> {
    const closed = new Promise<StopProof>((resolve) => (this.#close = resolve));
    const request = { server: "a", send: () => closed } as unknown as CancelRequest;
    return this.cancel(request, this.#answer.signal);
  }
  answer(): void {
    this.#answer.abort();
  }
  close(): void {
    this.#close("unproven");
  }
  protected override clientSide(): ClientSide {
    return { pid: 7, port: 50_000 };
  }
  protected override ask(text: string): Promise<number> {
    this.questions.push(text);
    return Promise.resolve(0);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("an answer that arrives before the close needs no confirmation", async () => {
  const query = new TestQuery();
  const stopping = query.stop();
  query.answer();
  await nextTurn();
  query.close();
  await stopping;
  expect(query.confirmStop()).toBeUndefined();
});

test("an answer that arrives after the close is confirmed by the server", async () => {
  const query = new TestQuery();
  const stopping = query.stop();
  query.close();
  await stopping;
  await nextTurn();
  query.answer();
  expect(await query.confirmStop()).toBe(false);
  expect(query.questions).toHaveLength(1);
});

test("an answer and a close in the same turn can have arrived in any order", async () => {
  const query = new TestQuery();
  const stopping = query.stop();
  query.answer();
  query.close();
  await stopping;
  expect(await query.confirmStop()).toBe(false);
});

test.each(["reuse", "destroy"] as const)('with "%s" nothing is confirmed', async (onCancel) => {
  const query = new TestQuery(onCancel);
  const stopping = query.stop();
  query.close();
  await stopping;
  expect(query.confirmStop()).toBeUndefined();
});
