// The object store: immutable objects under slash-separated keys, listed in order of their keys.

export interface ObjectInfo {
  readonly key: string
  readonly bytes: number
}

/** A file on the local disk, as the content of an object. */
export interface LocalFile {
  readonly path: string
}

export interface ObjectStore {
  /** Durable when it resolves; a reader sees the old object or the new one. */
  put(key: string, content: Uint8Array | LocalFile): Promise<void>
  /** Like put, but never replaces. @returns whether this call made the object */
  putIfAbsent(key: string, content: Uint8Array): Promise<boolean>
  /** @returns undefined where there is no such object */
  get(key: string): Promise<Buffer | undefined>
  /** Bytes [start, end). */
  getRange(key: string, start: number, end: number): Promise<Buffer | undefined>
  /** Objects whose key begins with `prefix`, in order, those after `startAfter` only. */
  list(prefix: string, startAfter?: string): AsyncIterable<ObjectInfo>
  remove(key: string): Promise<void>
  /**
   * A local file with the object's content, for engines that read files. Valid until close.
   * @throws ClickledgerError `archive-gap` where there is no such object
   */
  localPath(key: string): Promise<string>
  close(): Promise<void>
}
