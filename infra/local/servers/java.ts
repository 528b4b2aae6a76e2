// What every Java server of the stack is started with: small heaps and few threads, because all of
// them share one machine.

export interface JavaMemory {
  /** -Xms and -Xmx, as Java writes sizes. */
  readonly heap: readonly [first: string, max: string]
  /** Buffers outside the heap, at most. */
  readonly direct?: string
}

export function javaOptions({ heap, direct }: JavaMemory): string[] {
  return [
    '-server',
    `-Xms${heap[0]}`,
    `-Xmx${heap[1]}`,
    ...(direct ? [`-XX:MaxDirectMemorySize=${direct}`] : []),
    '-XX:+UseSerialGC',
    '-XX:+ExitOnOutOfMemoryError', // a server without memory must be seen as dead, not be half alive
    '-Xss512k',
    '-XX:ReservedCodeCacheSize=96m',
    '-Duser.timezone=UTC',
    '-Dfile.encoding=UTF-8',
    '-Djava.awt.headless=true',
  ]
}
