// What an object key may be, the same in every store. Stores on file systems (S3 servers among
// them) cannot have one key as the folder of another: nobody writes both `a` and `a/b`.
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'

/** S3's limit, less what a namespace may take. */
const keyBytesMax = 960
const controlCharacter = /\p{Cc}/u

/**
 * A key is one or more names with slashes between them.
 * @throws ClickledgerError `bad-request` where it is anything else
 */
export function checkObjectKey(key: string): void {
  const isKey =
    Buffer.byteLength(key) <= keyBytesMax &&
    key.isWellFormed() &&
    !controlCharacter.test(key) &&
    key.split('/').every((name) => name !== '' && name !== '.' && name !== '..')
  if (!isKey) throw new ClickledgerError('bad-request', `"${key}" is not an object key`)
}

/** What stands before every key in a bucket that several installations share. */
export const objectPrefix = ({ CLICKLEDGER_NAMESPACE: namespace }: Settings): string =>
  namespace === '' ? '' : `${namespace}/`
