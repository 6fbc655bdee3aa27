import { oneLine } from '../../shared/signing-error.ts';

/** One line a step, for the person who reads the log of the container. */
export interface Log {
  step(message: string): void;
  warn(message: string): void;
}

/** A log of plain lines, each of them one line whatever it tells of, or of one JSON object a line. */
export function createLog(format: 'text' | 'json', write: (line: string) => void): Log {
  const line = (level: 'info' | 'warn', message: string) =>
    format === 'json'
      ? JSON.stringify({ level, time: new Date().toISOString(), msg: message })
      : `${level === 'warn' ? 'warning: ' : ''}${oneLine(message)}`;
  return {
    step: (message) => write(line('info', message)),
    warn: (message) => write(line('warn', message)),
  };
}
