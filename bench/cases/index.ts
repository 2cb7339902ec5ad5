/** The figures of one case, by name. Most cases have only `value`. */
export type Figures = Record<string, number>;
export type Case = () => Promise<Figures>;
export type Cases = Record<string, Case>;

// Loaded on demand, so that no case loads the dependencies of another.
const groups: Record<string, () => Promise<{ cases: Cases }>> = {
  derive: () => import("./derive.ts"),
  timeout: () => import("./timeout.ts"),
  watched: () => import("./watched.ts"),
  forget: () => import("./forget.ts"),
  check: () => import("./check.ts"),
  value: () => import("./value.ts"),
  fanout: () => import("./fanout.ts"),
  bytes: () => import("./bytes.ts"),
  effect: () => import("./effect.ts"),

  all: () => import("../tasks/cases/all.ts"),
  any: () => import("../tasks/cases/any.ts"),
  checkpoint: () => import("../tasks/cases/checkpoint.ts"),
  flight: () => import("../tasks/cases/flight.ts"),
  group: () => import("../tasks/cases/group.ts"),
  hedge: () => import("../tasks/cases/hedge.ts"),
  map: () => import("../tasks/cases/map.ts"),
  race: () => import("../tasks/cases/race.ts"),
  semaphore: () => import("../tasks/cases/semaphore.ts"),
};

export async function loadCase(id: string): Promise<Case> {
  const [group = "", name = ""] = id.split("/");
  const cases = (await groups[group]?.())?.cases;
  const found = cases?.[name];
  if (found === undefined) throw new Error(`no such case: ${id}`);
  return found;
}
