import fc from "fast-check";

// The same cases in every run. What another seed finds is for whoever looks for it (MEMQ_SEED=7 npx vitest run
// test/property), not for the next change that has nothing to do with it.
fc.configureGlobal({ seed: Number(process.env["MEMQ_SEED"] ?? 20_261_127) });
