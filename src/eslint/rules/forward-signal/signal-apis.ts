/** Functions of Node, of browsers and of packages that take a signal, and where. */

/** Where a function takes its signal. */
export interface SignalApi {
  /** The index of the options. */
  index: number;
  /** The option. The default is `signal`. */
  option?: "abortSignal" | "signal";
  /**
   * What else may stand at that index: "array" if an array may come before the options, "url" if the
   * options may come first or second, "string" if an encoding may stand in their place. "last" means
   * that the options follow any number of arguments, and "object" that other arguments look like them.
   */
  shape?: "array" | "last" | "object" | "string" | "url";
  /** Whether the function takes its options only as an object that is there. */
  isRequired?: boolean;
}

const at = (index: number, rest: Omit<SignalApi, "index"> = {}): SignalApi => ({ index, ...rest });
const named = (names: string, api: SignalApi): Record<string, SignalApi> =>
  Object.fromEntries(names.split(" ").map((name) => [name, api]));

const HTTP = named("request get", at(0, { shape: "url" }));
const GOT: Record<string, SignalApi> = named("default get post put patch head delete", at(1));
const AI = at(0, { option: "abortSignal", isRequired: true });

/** Functions by module and export. "default" is the export itself, for `got(url)` and `axios(config)`. */
export const SIGNAL_APIS: Record<string, Record<string, SignalApi>> = {
  "timers/promises": {
    setTimeout: at(2),
    setInterval: at(2),
    setImmediate: at(1),
    "scheduler.wait": at(1),
  },
  child_process: {
    ...named("spawn execFile fork", at(1, { shape: "array" })),
    exec: at(1),
  },
  events: { once: at(2), on: at(2) },
  "stream/promises": { pipeline: at(1, { shape: "last" }), finished: at(1) },
  "fs/promises": { readFile: at(1, { shape: "string" }), writeFile: at(2, { shape: "string" }) },
  http: HTTP,
  https: HTTP,
  net: named("connect createConnection", at(0, { shape: "object" })),
  undici: named("fetch request stream", at(1)),
  "node-fetch": { default: at(1) },
  got: { ...GOT, got: at(1) },
  ky: { ...GOT },
  ofetch: { ofetch: at(1), $fetch: at(1) },
  axios: {
    default: at(0, { shape: "url" }),
    request: at(0, { isRequired: true }),
    ...named("get delete head options", at(1)),
    ...named("post put patch postForm putForm patchForm", at(2)),
  },
  ai: named("generateText streamText generateObject streamObject embed embedMany", AI),
};

/** Methods by the module and the export that makes their object: `new OpenAI()`. */
export const SIGNAL_METHODS: Record<string, Record<string, SignalApi>> = {
  "readline/promises.createInterface": { question: at(1) },
  "openai.default": { create: at(1), parse: at(1) },
  "openai.OpenAI": { create: at(1), parse: at(1) },
  "@anthropic-ai/sdk.default": { create: at(1) },
  "@anthropic-ai/sdk.Anthropic": { create: at(1) },
};

/** The global `fetch`. */
export const FETCH = at(1);

/** Modules whose promises are also a property of another module: `fs.promises.readFile`. */
export const PROMISES: Record<string, string> = {
  fs: "fs/promises",
  readline: "readline/promises",
  stream: "stream/promises",
  timers: "timers/promises",
};
