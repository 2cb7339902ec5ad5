import { vi } from "vitest";
import { frameworkSuite } from "../support/framework-suite.ts";
import { nest } from "../support/frameworks/nest.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(nest);
