// Tests on real servers: `npm run test:stack` starts the servers and sets TEST_STACK. Tests that break
// servers (tests/faults) have them to themselves: they run one after the other, after all others.
const phases = {
  shared: {
    files: ['**/*.stack-test.ts', '!tests/faults/**', '!node_modules', '!data'],
    concurrency: 2,
  },
  faults: { files: ['tests/faults/**/*.stack-test.ts'], concurrency: 1 },
}
const all = { files: ['**/*.stack-test.ts', '!node_modules', '!data'], concurrency: 1 }

// biome-ignore lint/style/noDefaultExport: ava reads the default export
export default {
  extensions: ['js', 'ts'],
  require: ['./tests/support/property-errors.ts'],
  timeout: '10m',
  // In threads, a crash of native code in one would end all without a word.
  workerThreads: false,
  ...(phases[process.env.STACK_TESTS ?? ''] ?? all),
}
