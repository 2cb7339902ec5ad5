/** The kit passes an adapter that keeps to the protocol. */
import { afterAll, describe, test } from "vitest";
import { describeToy } from "../../../test/support/toy/describe-toy.ts";
import { describeAdapter } from "./index.ts";

const { server, adapter } = await describeToy();
afterAll(() => server.close());

describeAdapter({ describe, test }, adapter);
