// The log of what runs until it is told to end: JSON lines on standard error.

import { type Logger, pino } from 'pino';

export function jsonLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
