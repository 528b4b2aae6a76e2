// Tests on real servers: `npm run test:stack` starts them and sets TEST_STACK.
// biome-ignore lint/style/noDefaultExport: ava reads the default export
export default {
  extensions: ['js', 'ts'],
  files: ['**/*.stack-test.ts', '!node_modules', '!data'],
  timeout: '10m',
  concurrency: 1,
}
