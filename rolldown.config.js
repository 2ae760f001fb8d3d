// Bundles what tsc emitted, so that everything hot lies in one scope: V8 does not fold constants that are imported from
// another module. Measured: page faults +20 %, integer loop +7 %, start-up -30 %; Node 20.20.
export default {
  input: {
    faultline: "dist/emu/cli/main.js",
    "stress-worker": "dist/stress/campaign/worker.js",
    mutations: "dist/tests/stress/broken/mutations.js",
    broken: "dist/tests/stress/broken/main.js",
    bench: "dist/tests/bench/main.js",
    "memory-child": "dist/tests/bench/memory-child.js",
    matrix: "dist/tests/matrix/main.js",
    worker: "dist/tests/matrix/worker.js",
    fuzz: "dist/tests/fuzz/main.js",
  },
  platform: "node",
  external: ["bytebuffer", "yargs", "yargs/helpers"],
  output: {
    dir: "dist/bundle",
    cleanDir: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-chunk.js",
  },
};
