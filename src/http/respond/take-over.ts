/**
 * Takes a response away from its handler, which may still run. From then on, nothing that the
 * handler does reaches the connection, and nothing of it throws: a late `setHeader` in a callback
 * that catches nothing would end the process, and a late `write` would go out behind the answer,
 * where the client takes it for the next response. (Go buffers whole responses instead, and refuses
 * to stream.)
 *
 * The handler and middleware share one object. They are told apart by the way in: middleware that
 * has replaced `write` or `end` (express-session, compression) calls the methods that it has
 * replaced, and those go on working, however much later. The handler calls the outermost ones.
 */
import type { WritableResponseLike } from "../types.ts";

/** Methods that do nothing after the response has been taken, and return it. */
const METHODS = [
  ...["setHeader", "setHeaders", "appendHeader", "removeHeader", "writeHead", "writeHeader"],
  ...["write", "end", "addTrailers", "setTrailer", "flushHeaders", "cork", "destroy", "setTimeout"],
  // Each of these would write between the head and the body.
  ...["writeContinue", "writeProcessing", "writeInformation", "writeEarlyHints"],
  "createPushResponse",
];

/** Shared by all copies of the package. */
const TAKEN = Symbol.for("eightysix.http.taken");

type Method = (...args: unknown[]) => unknown;
type Res = WritableResponseLike & { [TAKEN]?: TakenResponse; readonly req?: RequestOfResponse };
type RequestOfResponse = {
  readonly complete?: boolean;
  readonly readableEnded?: boolean;
  readonly socket?: { readonly destroyed: boolean } | null;
  destroy?: Method;
};

/** Returns whether an answer of this package has begun on `res`. */
export const isTaken = (res: WritableResponseLike): boolean => (res as Res)[TAKEN] !== undefined;

/** Takes `res` away from its handler. A second call returns what the first one did. */
export function takeOver(res: WritableResponseLike): TakenResponse {
  return ((res as Res)[TAKEN] ??= new TakenResponse(res));
}

export class TakenResponse {
  readonly #res: WritableResponseLike;
  readonly #head: Accessor;
  readonly #status: Accessor;
  /** Whether the code that runs now is the answer. */
  #isAnswering = false;
  /** The parameters with which the answer has called `end`. */
  #end: readonly unknown[] | undefined;
  #hidesHead = false;

  constructor(res: WritableResponseLike) {
    this.#res = res;
    const methods = res as unknown as Record<string, Method>;
    for (const name of METHODS) if (name in methods) this.#guard(methods, name);
    this.#head = accessorOf(res, "headersSent");
    this.#status = this.#pin("statusCode");
    this.#pin("statusMessage");
    res.on("error", () => undefined);
    this.#keepRequest((res as Res).req);
  }

  /** Runs `fn`, which may use the response until it returns. */
  answer<T>(fn: () => T): T {
    const before = this.#isAnswering;
    this.#isAnswering = true;
    try {
      return fn();
    } finally {
      this.#isAnswering = before;
    }
  }

  /** Returns the response for code that answers later. For that code, it works as before. */
  view(): WritableResponseLike {
    const res = this.#res;
    const view: WritableResponseLike = new Proxy(res, {
      get: (_, key) => {
        const value = this.answer((): unknown => Reflect.get(res, key, res));
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          const result = this.answer((): unknown => Reflect.apply(value, res, args));
          return result === res ? view : result;
        };
      },
      set: (_, key, value) => this.answer(() => Reflect.set(res, key, value, res)),
    });
    return view;
  }

  /**
   * Makes `headersSent` false, except while the response reports that it is finished: then loggers
   * look at it. If a handler of Express or Connect fails and `headersSent` is true, the framework
   * closes the connection, under the answer or under another request.
   */
  hideHead(): void {
    if (this.#hidesHead) return;
    this.#hidesHead = true;
    let isClosed = false;
    this.#res.on("close", () => (isClosed = true));
    Object.defineProperty(this.#res, "headersSent", {
      configurable: true,
      get: () => {
        const isSeen = this.#isAnswering || (this.#res.writableFinished && !isClosed);
        return isSeen && this.#head.get();
      },
    });
  }

  #guard(methods: Record<string, Method>, name: string): void {
    const method = methods[name] as Method;
    methods[name] = (...args) => {
      if (!this.#isAnswering && !this.#isOfAnswer(name, args)) return this.#discard(name, args);
      if (name === "end") this.#end ??= args;
      const result = this.answer(() => method.apply(this.#res, args));
      if (name === "end") this.#unlessHeld();
      return result;
    };
  }

  /**
   * Returns whether a call belongs to the answer although it comes later. Middleware may hold the
   * answer back and then call `end` again, as the answer did. Node then sends the head, for which it
   * calls `writeHead` with the status. Over HTTP/2, its `end` also calls `write`.
   */
  #isOfAnswer(name: string, args: readonly unknown[]): boolean {
    if (this.#end === undefined || this.#res.writableEnded) return false;
    const [body] = this.#end;
    if (name === "end") return args[0] === body;
    if (name === "write") return Boolean(this.#res.stream) && args[0] === body;
    if (name !== "writeHead" || this.#head.get() === true) return false;
    return args.length === 1 && args[0] === this.#status.get();
  }

  /**
   * If middleware holds the whole answer back, forgets its length: the middleware may change the
   * body, and can't set another length.
   */
  #unlessHeld(): void {
    if (this.#head.get() === true || this.#res.writableEnded || this.#res.destroyed) return;
    this.answer(() => this.#res.removeHeader("content-length"));
  }

  /** Returns true for `write`. A false would make the handler wait for a `drain` that never comes. */
  #discard(name: string, args: readonly unknown[]): unknown {
    const callback = args.find((arg): arg is Method => typeof arg === "function");
    if (callback && name !== "setTimeout") {
      queueMicrotask(() => callback(new Error("the request has been answered")));
    }
    return name === "write" ? true : this.#res;
  }

  /** Makes a property keep its value, unless the answer sets it. */
  #pin(key: string): Accessor {
    const accessor = accessorOf(this.#res, key);
    Object.defineProperty(this.#res, key, {
      configurable: true,
      enumerable: true,
      get: accessor.get,
      set: (value) => {
        if (this.#isAnswering) accessor.set(value);
      },
    });
    return accessor;
  }

  /**
   * HTTP/1: keeps the request until the response has closed, because to destroy a request that has
   * not been read closes the connection. Afterwards, Node reads a request that has arrived, and
   * destroys it. Only an upload that is still on its way is destroyed then, as the handler wanted.
   */
  #keepRequest(req: RequestOfResponse | undefined): void {
    const destroy = req?.destroy;
    if (req === undefined || destroy === undefined || this.#res.stream) return;
    let isClosed = false;
    this.#res.on("close", () => (isClosed = true));
    req.destroy = (...args) => {
      const destroyUpload = (): void => {
        if (req.complete === false) destroy.apply(req, args);
      };
      const isRead = req.readableEnded === true && req.complete !== false;
      if (isRead || req.socket?.destroyed !== false) destroy.apply(req, args);
      else if (isClosed) destroyUpload();
      else this.#res.on("close", destroyUpload);
      return req;
    };
  }
}

interface Accessor {
  readonly get: () => unknown;
  readonly set: (value: unknown) => void;
}

/** Returns how to read and write a property: it is data in HTTP/1, and has a getter in HTTP/2. */
function accessorOf(target: object, key: string): Accessor {
  let at: object | null = target;
  for (; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertyDescriptor(at, key);
    if (found?.get) {
      return {
        get: () => found.get?.call(target) as unknown,
        set: (value) => found.set?.call(target, value),
      };
    }
    if (found) break;
  }
  let value: unknown = (target as Record<string, unknown>)[key];
  return { get: () => value, set: (changed) => (value = changed) };
}
