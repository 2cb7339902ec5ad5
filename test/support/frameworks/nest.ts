/** NestJS on Express, with the decorator and the filter of docs/nestjs.md. */
import { STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import {
  All,
  Catch,
  Controller,
  createParamDecorator,
  HttpException,
  Module,
  Req,
  StreamableFile,
  type ArgumentsHost,
  type ExecutionContext,
  type LoggerService,
  type Type,
} from "@nestjs/common";
import { APP_FILTER, BaseExceptionFilter, NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import type { Request, RequestHandler, Response } from "express";
import { contextErrors, contexts } from "../../../src/express/index.ts";
import { serve, statusOf } from "../../../src/http/index.ts";
import type { Context } from "../../../src/index.ts";
import type { FrameworkUnderTest, Work } from "../framework-suite.ts";
import { replacing, replyOf } from "./express.ts";

export const Ctx = createParamDecorator(
  (_: unknown, host: ExecutionContext) => host.switchToHttp().getRequest<Request>().ctx,
);

@Catch()
export class ContextErrors extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost) {
    const http = host.switchToHttp();
    contextErrors()(error, http.getRequest(), http.getResponse(), (end) => {
      const status = statusOf(end);
      super.catch(
        status === 500 ? end : new HttpException(STATUS_CODES[status] ?? "", status),
        host,
      );
    });
  }
}

/** An application of these controllers. */
export async function nestApp(
  controllers: Type[],
  options: Parameters<typeof contexts>[0],
  logger: LoggerService | false = false,
  services: Type[] = [],
  middleware: RequestHandler[] = [],
): Promise<NestExpressApplication> {
  const filter = { provide: APP_FILTER, useClass: ContextErrors };
  @Module({ controllers, providers: [filter, ...services] })
  class App {}
  // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- NestJS's options are a class only in name
  const app = await NestFactory.create<NestExpressApplication>(App, { bodyParser: false, logger });
  app.use(contexts(options));
  for (const handle of middleware) app.use(handle);
  await app.init();
  return app;
}

function working(work: Work): Type {
  @Controller()
  class Root {
    @All()
    async all(@Ctx() ctx: Context, @Req() req: Request) {
      const answer = await work(ctx, () => req.resume().toArray(), replyOf(req.res as Response));
      return typeof answer === "string" ? answer : new StreamableFile(Readable.from(answer));
    }
  }
  return Root;
}

export const nest: FrameworkUnderTest = {
  name: "NestJS 12",
  async app(work, { replace, route, ...options }) {
    const middleware = [
      ...(replace ? [replacing(replace)] : []),
      ...(route ? [contexts(route) as RequestHandler] : []),
    ];
    const app = await nestApp([working(work)], options, false, [], middleware);
    return app.getHttpAdapter().getInstance();
  },
  async served(work, options) {
    const app = await nestApp([working(work)], {});
    const server = app.getHttpServer();
    const serving = serve(server, options);
    await app.listen(0, "127.0.0.1");
    return { server, serving };
  },
  answersEarly: false,
  withoutHttp2: "https://github.com/expressjs/express/issues/5462",
};
