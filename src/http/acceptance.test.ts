import { vi } from "vitest";
import { frameworkSuite } from "../../test/support/framework-suite.ts";
import { bareHandler } from "../../test/support/frameworks/http.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(bareHandler);
