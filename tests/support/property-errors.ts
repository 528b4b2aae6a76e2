// Loaded before every test file: a property that fails because something was thrown says what. By default
// that is the error's `cause`, which ava does not print.
import fc from 'fast-check'

fc.configureGlobal({ includeErrorInReport: true })
