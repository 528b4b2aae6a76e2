// What every Java server of the stack is started with: small heaps and few threads, because all of
// them share one machine.

/**
 * The optimising compiler begins ten times later than it would: at the start it compiles what soon
 * nobody runs, and six servers that start at once on two cores wait for it (measured: 4 instead of 11
 * seconds of CPU until a server of Druid is ready). What stays hot is optimised as ever.
 */
const patientCompiler = [
  '-XX:Tier4InvocationThreshold=50000',
  '-XX:Tier4MinInvocationThreshold=20000',
  '-XX:Tier4CompileThreshold=100000',
  '-XX:Tier4BackEdgeThreshold=400000',
]

/** A JVM that starts takes all processors it gets; clicks, which come in meanwhile, go first. */
export const javaNiceness = 19

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
    ...patientCompiler,
    '-XX:+ExitOnOutOfMemoryError', // a server without memory must be seen as dead, not be half alive
    '-Xss512k',
    '-XX:ReservedCodeCacheSize=96m',
    '-Duser.timezone=UTC',
    '-Dfile.encoding=UTF-8',
    '-Djava.awt.headless=true',
  ]
}
