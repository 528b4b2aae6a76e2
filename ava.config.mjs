// Tests that need no server: `npm test`.
export default {
  extensions: ['js', 'ts'],
  files: ['**/*.test.ts', '!node_modules', '!data'],
  timeout: '3m',
  concurrency: 2,
}
