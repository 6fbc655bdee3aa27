import { dirname } from 'node:path/posix';
import { SIGNER_COMMAND } from '../../shared/names.ts';
import { isWithin } from './path-set.ts';

/** Paths of the image that hold the program, and what it is run and linked by. */
const PROGRAM_DIRECTORIES = [
  dirname(SIGNER_COMMAND[1]),
  '/bin',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/ld.so.preload',
  '/lib',
  '/lib64',
  '/nodejs',
  '/proc',
  '/usr/bin',
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/bin',
  '/usr/local/lib',
];

/** Whether a mount at this path would hide a part of the signer's image. */
export function hidesProgram(mountPath: string): boolean {
  return PROGRAM_DIRECTORIES.some((path) => isWithin(mountPath, path) || isWithin(path, mountPath));
}
