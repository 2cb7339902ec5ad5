/** Set by `--quick`: fewer and shorter samples, good for developing, no good for a verdict. */
export const quick = process.env["BENCH_QUICK"] === "1";
