import "reflect-metadata";
import { STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import {
  All,
  Catch,
  Controller,
  HttpException,
  Module,
  Req,
  StreamableFile,
  createParamDecorator,
  type ArgumentsHost,
  type ExecutionContext,
} from "@nestjs/common";
import { APP_FILTER, BaseExceptionFilter, NestFactory } from "@nestjs/core";
import type { NestExpressApplication } from "@nestjs/platform-express";
import type { Request } from "express";
import { contextErrors, contexts } from "../../../src/express/index.ts";
import { statusOf } from "../../../src/http/index.ts";
import type { Context } from "../../../src/index.ts";
import type { FrameworkUnderTest } from "../framework-suite.ts";

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

export const nest: FrameworkUnderTest = {
  name: "NestJS",
  async app(work, options) {
    @Controller()
    class Root {
      @All()
      async all(@Ctx() ctx: Context, @Req() req: Request) {
        const answer = await work(ctx, () => req.resume().toArray());
        return typeof answer === "string" ? answer : new StreamableFile(Readable.from(answer));
      }
    }
    @Module({
      controllers: [Root],
      providers: [{ provide: APP_FILTER, useClass: ContextErrors }],
    })
    class App {}
    const app = await NestFactory.create<NestExpressApplication>(App, {
      bodyParser: false,
      logger: false,
    });
    app.use(contexts(options));
    await app.init();
    return app.getHttpAdapter().getInstance();
  },
  answersEarly: false,
};
