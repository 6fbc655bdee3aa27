import { isObject, type Members } from '../../shared/json.ts';

/** An OCI content descriptor. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string /* sha256:<64 hex> */;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
export const SIGNATURE_TYPE = 'application/vnd.cncf.notary.signature';

const SHA256_DIGEST = /^sha256:[0-9a-f]{64}$/;

/** @returns undefined where it is no descriptor, lacks a member, or is of another digest algorithm than SHA-256 */
export function readDescriptor(value: unknown): Descriptor | undefined {
  const { mediaType, digest, size, artifactType, annotations }: Members = isObject(value)
    ? value
    : {};
  if (typeof mediaType !== 'string' || typeof digest !== 'string') return undefined;
  if (!SHA256_DIGEST.test(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === 'string' && { artifactType }),
    ...(isAnnotations(annotations) && { annotations }),
  };
}

function isAnnotations(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}
