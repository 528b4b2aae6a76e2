// JSON lines on stderr. Libraries and steps do not log; the shell of a layer does.
import pino from 'pino'

export type Logger = pino.Logger

export function createLogger(layer: string, level: string): Logger {
  return pino(
    { level, base: { layer }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  )
}
