/** Waits for two turns of the event loop: all data that had arrived is read, and its listeners have run. */
export async function twoTurns(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
