/** The conformance kit on `node:test`. A test bundles this program and runs it. */
import { after, describe, test } from "node:test";
import { describeAdapter } from "../../../src/testing/conformance/index.ts";
import type { Breach } from "./breaches.ts";
import { describeToy } from "./describe-toy.ts";

const { server, basics } = await describeToy(process.env["TOY_BREACH"] as Breach | undefined);
after(() => server.close());

describeAdapter({ describe, test }, basics, { cancels: 50 });
