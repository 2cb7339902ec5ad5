/** The arms that every driver has: the bare driver, the same again as a control, and eightysix. */
import { background, withCancel, type Context } from "eightysix";
import type { Arm } from "./driver.ts";

/** Returns the arms. `bare` and `ours` give each arm a connection of its own. */
export function armsOf(options: {
  readonly name: string;
  readonly bare: () => () => Promise<unknown>;
  readonly ours: () => (ctx: Context) => Promise<unknown>;
  readonly is: (answer: unknown) => boolean;
}): Arm[] {
  const { name, is } = options;
  const live = withCancel(background());
  const [first, second] = [options.ours(), options.ours()];
  return [
    { name, is, once: options.bare() },
    { name: `${name} again (control)`, is, once: options.bare() },
    { name: "**ours**, one live context", is, once: () => first(live) },
    {
      name: "**ours**, a context for each request",
      is,
      async once() {
        using ctx = withCancel(background());
        return await second(ctx);
      },
    },
  ];
}
