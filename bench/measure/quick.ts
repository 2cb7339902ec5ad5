/** Set by `--quick`: fewer and shorter samples, for development only. */
export const quick = process.env["BENCH_QUICK"] === "1";
