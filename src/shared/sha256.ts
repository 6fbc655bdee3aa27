import { hash } from 'node:crypto';

/** SHA-256 of bytes, or of a text in UTF-8, as lower-case hex: how Notary servers name files. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}
