import { hash } from 'node:crypto';

/** SHA-256 as lower-case hex: how Notary servers name files, and registries manifests. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
