// Tests that need no server: `npm test`.
// biome-ignore lint/style/noDefaultExport: ava reads the default export
export default {
  extensions: ['js', 'ts'],
  require: ['./tests/support/property-errors.ts'],
  files: ['**/*.test.ts', '!node_modules', '!data'],
  timeout: '4m',
  concurrency: 2,
}
