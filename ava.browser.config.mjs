// Tests of the dashboard in Debian's Chromium: `npm run test:browser`.
// biome-ignore lint/style/noDefaultExport: ava reads the default export
export default {
  extensions: ['js', 'ts'],
  files: ['tests/browser/**/*.browser-test.ts'],
  timeout: '4m',
  concurrency: 2,
}
