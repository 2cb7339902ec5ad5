import type { Ways } from "../way.ts";

/** To measure another: its file, and a line here. Loaded by the server alone. */
export const frameworks: Record<string, () => Promise<Ways>> = {
  node: async () => (await import("./node.ts")).open(),
  express: async () => (await import("./express.ts")).open(),
  fastify: async () => (await import("./fastify.ts")).open(),
};
