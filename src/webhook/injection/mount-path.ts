import { normalize } from 'node:path/posix';
import { SIGNER_COMMAND } from '../../shared/names.ts';

/** Paths of the image that hold the program, and what it is run and linked by. */
const PROGRAM_DIRECTORIES = [
  SIGNER_COMMAND[1].slice(0, SIGNER_COMMAND[1].lastIndexOf('/')),
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

/** Whether a path is a directory or below it. */
export function isWithin(path: string, directory: string): boolean {
  return withSlash(path).startsWith(withSlash(directory));
}

/** A path in its shortest form, with a slash at its end. */
export function withSlash(path: string): string {
  const normal = normalize(path);
  return normal.endsWith('/') ? normal : `${normal}/`;
}
