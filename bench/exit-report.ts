/**
 * Loaded before a program (`node --require`): as it exits, it leaves what the kernel knows about it in
 * the file that EXIT_REPORT names.
 */
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  writeFileSync(process.env['EXIT_REPORT'] ?? '', readFileSync('/proc/self/status'));
});
