/** The statements of docs/nestjs.md that its own blocks do not show. */
import {
  ConflictException,
  Controller,
  Get,
  Inject,
  Injectable,
  Sse,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type LoggerService,
  type NestInterceptor,
} from "@nestjs/common";
import type { Request } from "express";
import { from, mergeMap } from "rxjs";
import { describe, expect, test, vi } from "vitest";
import { ClientDisconnected } from "../../src/http/index.ts";
import { cause, key, sleep, withValue, type Context } from "../../src/index.ts";
import { serve, until } from "../raw-http.ts";
import { frameworkSuite } from "../support/framework-suite.ts";
import { Ctx, nest, nestApp } from "../support/frameworks/nest.ts";

vi.setConfig({ testTimeout: 30_000 });

frameworkSuite(nest);

const listening = async (...args: Parameters<typeof nestApp>) =>
  (await nestApp(...args)).getHttpAdapter().getInstance();

const User = key<string>("user");
const ctxOf = (host: ExecutionContext): Context => host.switchToHttp().getRequest<Request>().ctx;

/** A logger that keeps what NestJS logs as errors and warnings. */
function log() {
  const errors: unknown[] = [];
  const keep = (error: unknown): unknown => errors.push(error);
  const logger: LoggerService = { log() {}, warn: keep, error: keep, fatal: keep };
  return { errors, logger };
}

describe("NestJS", () => {
  test("a handler that stops with its context is not logged as an error, and a bug is", async () => {
    const seen: Context[] = [];
    @Controller()
    class App {
      @Get("stops")
      async stops(@Ctx() ctx: Context) {
        seen.push(ctx);
        await sleep(ctx, Infinity);
      }
      @Get("conflict")
      conflict() {
        throw new ConflictException("taken");
      }
      @Get("bug")
      bug() {
        throw new Error("password=hunter2");
      }
    }
    const { errors, logger } = log();
    await using server = await serve(await listening([App], { timeout: 100 }, logger));
    const client = await server.client();
    client.get("/stops");
    expect(await client.answer()).toMatch(/ 503 [^]*{"statusCode":503,"message":"[^"]+"}$/);
    const leaver = await server.client();
    leaver.get("/stops");
    await until(() => seen.length === 2);
    leaver.leave("FIN");
    await until(() => seen[1]?.err() !== undefined);
    expect(cause(seen[1]!)).toBeInstanceOf(ClientDisconnected);
    client.get("/conflict");
    expect(await client.answer(2)).toMatch(/ 409 [^]*"taken"/);
    client.get("/nowhere");
    await client.answer(3);
    expect(errors).toEqual([]);
    client.get("/bug");
    await client.answer(4);
    expect(client.statuses).toEqual([503, 409, 404, 500]);
    expect(client.received).not.toContain("hunter2");
    expect(errors.map(String)).toEqual(["Error: password=hunter2"]);
  });

  test("with the option `deadline`, the caller's deadline ends the request with 504", async () => {
    let ran = 0;
    @Controller()
    class App {
      @Get()
      async slow(@Ctx() ctx: Context) {
        ran++;
        await sleep(ctx, Infinity);
      }
    }
    await using server = await serve(await listening([App], { deadline: true }));
    const client = await server.client();
    for (const ms of [100, 0]) {
      client.socket.write(`GET / HTTP/1.1\r\nHost: x\r\nx-request-timeout-ms: ${ms}\r\n\r\n`);
    }
    await client.answer(2);
    expect(client.statuses).toEqual([504, 504]);
    expect(ran).toBe(1);
  });

  test("a guard may give the context a value, which singletons and interceptors see", async () => {
    class Names implements CanActivate {
      canActivate(host: ExecutionContext) {
        const req = host.switchToHttp().getRequest<Request>();
        req.ctx = withValue(req.ctx, User, req.path);
        return true;
      }
    }
    class Signs implements NestInterceptor {
      intercept(host: ExecutionContext, next: CallHandler<string>) {
        const sign = async (body: string) => `${body} for ${ctxOf(host).value(User)}`;
        return next.handle().pipe(mergeMap(sign));
      }
    }
    let made = 0;
    @Injectable()
    class Reports {
      constructor() {
        made++;
      }
      async find(ctx: Context) {
        await sleep(ctx, 20);
        return ctx.value(User);
      }
    }
    @Controller()
    @UseGuards(Names)
    @UseInterceptors(Signs)
    class App {
      @Inject(Reports) private readonly reports!: Reports;
      @Get("*name")
      find(@Ctx() ctx: Context) {
        return this.reports.find(ctx);
      }
    }
    await using server = await serve(await listening([App], {}, false, [Reports]));
    const clients = await Promise.all(["/ann", "/bob"].map(() => server.client()));
    for (const [i, client] of clients.entries()) client.get(["/ann", "/bob"][i]);
    const answers = await Promise.all(clients.map((client) => client.answer()));
    expect(answers[0]).toMatch(/\/ann for \/ann$/);
    expect(answers[1]).toMatch(/\/bob for \/bob$/);
    expect(made).toBe(1);
  });

  test("a guard or an interceptor that is stopped is answered with 503, like a handler", async () => {
    class Guard implements CanActivate {
      async canActivate(host: ExecutionContext) {
        await sleep(ctxOf(host), Infinity);
        return true;
      }
    }
    class Interceptor implements NestInterceptor {
      async intercept(host: ExecutionContext, next: CallHandler) {
        await sleep(ctxOf(host), Infinity);
        return next.handle();
      }
    }
    @Controller()
    class App {
      @Get("guard")
      @UseGuards(Guard)
      guarded() {}
      @Get("interceptor")
      @UseInterceptors(Interceptor)
      intercepted() {}
    }
    const { errors, logger } = log();
    await using server = await serve(await listening([App], { timeout: 50 }, logger));
    const client = await server.client();
    for (const [i, path] of ["/guard", "/interceptor"].entries()) {
      client.get(path);
      await client.answer(i + 1);
    }
    expect(client.statuses).toEqual([503, 503]);
    expect(errors).toEqual([]);
  });

  for (const leave of ["FIN", "RST", "half-close"] as const) {
    test(`an event stream ends when its client leaves by ${leave}`, async () => {
      const seen: Context[] = [];
      let ended = false;
      async function* ticks(ctx: Context) {
        seen.push(ctx);
        for (let n = 0; ctx.err() === undefined; n++) {
          yield { data: { n } };
          await sleep(ctx, n < 2 ? 1 : Infinity).catch(() => undefined);
        }
        ended = true;
      }
      @Controller()
      class App {
        @Sse()
        ticks(@Ctx() ctx: Context) {
          return from(ticks(ctx));
        }
      }
      const { errors, logger } = log();
      await using server = await serve(await listening([App], {}, logger));
      const client = await server.client();
      client.get();
      await until(() => client.received.includes('data: {"n":2}'), "some events");
      expect(ended).toBe(false);
      client.leave(leave);
      await until(() => ended, "the generator's end");
      expect(seen.map(cause)).toEqual([expect.any(ClientDisconnected)]);
      await until(() => server.sockets.size === 0);
      expect(errors).toEqual([]);
    });
  }
});
