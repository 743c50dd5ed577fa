/** Structured logging: one JSON line an event on stderr. Parts take this interface; only cpnd.ts makes the real one. */
import { pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  error(text: string, fields?: LogFields): void;
}

export interface LeveledLogger extends Logger {
  setLevel(level: string): void;
}

/** Logs to stderr; numbers of 64 bits print as strings. */
export function createLogger(name: string, level: string): LeveledLogger {
  const target = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    pino.destination({ dest: 2, sync: true }),
  );
  const write =
    (method: 'debug' | 'info' | 'warn' | 'error') =>
    (text: string, fields: LogFields = {}): void => {
      if (!target.isLevelEnabled(method)) return;
      target[method](Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, typeof value === 'bigint' ? value.toString() : value])), text);
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error'), setLevel: (next) => (target.level = next) };
}

export const silentLogger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
