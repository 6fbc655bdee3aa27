import { hash } from 'node:crypto';

/** SHA-256 of bytes or of a UTF-8 text, in lower-case hex. Notary servers name files by it. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
