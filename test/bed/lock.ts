/** Locks between processes, by the flock program. */
import { spawn } from 'node:child_process';

/**
 * Waits for the lock and takes it; the kernel frees it when we die.
 *
 * @param flock the program
 * @param file made where it is missing; stays
 * @returns frees the lock
 * @throws Error when the file cannot be locked
 */
export async function holdLock(flock: string, file: string): Promise<() => void> {
  const script = ['sh', '-c', 'echo locked; exec cat >/dev/null'];
  const holder = spawn(flock, [file, ...script], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('exit', () => reject(new Error(`${flock} ${file} gave no lock`)));
  });
  return () => holder.stdin.end();
}
