/** Development mode in the tests of a file, and what it reports. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, onTestFinished } from "vitest";
import { developmentMode } from "../../src/index.ts";
import { turn } from "../support.ts";

export interface Report extends Error {
  readonly code: string;
  readonly detail: string;
}

/** Turns development mode on for the tests of the file. Returns the warnings of each test. */
export function inDevelopment(): Report[] {
  const warnings: Report[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning as Report);
  const printers = process.listeners("warning");
  beforeEach(() => {
    developmentMode(true);
    for (const printer of printers) process.off("warning", printer);
    process.on("warning", onWarning);
  });
  afterEach(async () => {
    await turn(); // warnings are emitted in the next tick
    developmentMode(false);
    process.off("warning", onWarning);
    for (const printer of printers) process.on("warning", printer);
    warnings.length = 0;
  });
  return warnings;
}

/** Returns the messages on a channel of the package, until the end of the test. */
export function messagesOn<T = Record<string, unknown>>(channel: string): T[] {
  const messages: T[] = [];
  const onMessage = (message: unknown): void => void messages.push(message as T);
  subscribe(channel, onMessage);
  onTestFinished(() => void unsubscribe(channel, onMessage));
  return messages;
}
