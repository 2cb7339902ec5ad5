import { expect, test } from "vitest";
import { background, sleep, withCancel } from "../../index.ts";
import { currentFrame, runWithContext, runWithoutContext } from "../../current/current-context.ts";
import { contextOf } from "./inherited-context.ts";

test("a statement belongs to the context in which its connection was leased, wherever it is created", () => {
  const mine = withCancel(background());
  const other = withCancel(background());
  const find = runWithContext(mine, () => contextOf(currentFrame()));
  expect(find()).toBe(mine);
  expect(runWithContext(other, find)).toBe(mine);
  expect(runWithContext(mine, () => runWithContext(other, () => runWithoutContext(find)))).toBe(
    mine,
  );
});

test("a statement belongs to the innermost runWithContext inside the one in which its connection was leased", async () => {
  const mine = withCancel(background());
  const inner = withCancel(mine);
  await runWithContext(mine, async () => {
    const find = contextOf(currentFrame());
    await runWithContext(inner, async () => {
      await sleep(background(), 1);
      expect(find()).toBe(inner);
    });
    expect(find()).toBe(mine);
  });
});

test("a runWithContext with the same context is another one, if it is not inside", () => {
  const ctx = withCancel(background());
  const inner = withCancel(background());
  const find = runWithContext(ctx, () => contextOf(currentFrame()));
  expect(runWithContext(ctx, () => runWithContext(inner, find))).toBe(ctx);
});

test("a connection that was leased without a current context uses the one that is current", () => {
  const ctx = withCancel(background());
  const find = contextOf(undefined);
  expect(find()).toBeUndefined();
  expect(runWithContext(ctx, find)).toBe(ctx);
  expect(runWithContext(ctx, () => runWithoutContext(find))).toBeUndefined();
});
