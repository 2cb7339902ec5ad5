import type { Ways } from "../way.ts";

/** All frameworks. To add one, write its file, and add a line here. Only the server loads them. */
export const frameworks: Record<string, () => Promise<Ways>> = {
  node: async () => (await import("./node.ts")).open(),
  express: async () => (await import("./express.ts")).open(),
  fastify: async () => (await import("./fastify.ts")).open(),
};
