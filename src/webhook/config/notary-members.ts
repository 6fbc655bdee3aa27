import { ANNOTATION, SIGNING } from '../../shared/names.ts';

/** The members that an object may have. */
export interface KnownMembers {
  /** As they are to be written, by name. */
  readonly known: Readonly<Record<string, string>>;
  /** Members that people look for there, and what to do instead. */
  readonly elsewhere?: Readonly<Record<string, string>>;
}

/** Values that can be copied; the pin is the hash of nothing, so no key has it. */
export const EXAMPLE = {
  url: 'https://notary.example.com:4443',
  secretName: 'notary-signing',
  caSecretName: 'notary-ca',
  v2SecretName: 'notary-v2-signing',
  timestampUrl: 'http://timestamp.example.com',
  timestampCaSecretName: 'timestamp-ca',
  expiry: '8760h',
  registryCaSecretName: 'registry-ca',
  rootPin: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
} as const;
export const NAME_MEMBERS: KnownMembers = {
  known: { name: `name: ${EXAMPLE.secretName}` },
  elsewhere: { namespace: 'no namespace, since the Secret is always one of the same namespace' },
};
export const V1_MEMBERS: KnownMembers = {
  known: { url: `url: ${EXAMPLE.url}`, secretRef: `secretRef: ${written(NAME_MEMBERS)}` },
  elsewhere: {
    rootPin: `the annotation ${ANNOTATION.rootPin}`,
    caSecretRef: `the annotation ${ANNOTATION.caSecretRef}`,
    'on-failure': `the annotation ${ANNOTATION.onFailure}`,
  },
};
export const NOTARY_MEMBERS: KnownMembers = {
  known: { v1: `v1: ${written(V1_MEMBERS)}` },
  elsewhere: {
    v2: `v1 alone; for v2 set the annotation ${ANNOTATION.v2SecretRef} on the Namespace, or on an Image without spec.notary`,
    url: 'it one step deeper, in v1',
    secretRef: 'it one step deeper, in v1',
  },
};

/** A value of each annotation, by its name. */
const EXAMPLE_VALUES: Readonly<Record<string, string>> = {
  [ANNOTATION.url]: EXAMPLE.url,
  [ANNOTATION.secretRef]: EXAMPLE.secretName,
  [ANNOTATION.rootPin]: EXAMPLE.rootPin,
  [ANNOTATION.caSecretRef]: EXAMPLE.caSecretName,
  [ANNOTATION.onFailure]: 'fail',
  [ANNOTATION.v2SecretRef]: EXAMPLE.v2SecretName,
  [ANNOTATION.timestampUrl]: EXAMPLE.timestampUrl,
  [ANNOTATION.timestampCaSecretRef]: EXAMPLE.timestampCaSecretName,
  [ANNOTATION.expiry]: EXAMPLE.expiry,
  [ANNOTATION.v2OnFailure]: 'fail',
  [ANNOTATION.registryCaSecretRef]: EXAMPLE.registryCaSecretName,
  [SIGNING]: 'disabled',
};

/** An annotation as it could stand in a manifest. */
export function annotationLine(name: string): string {
  return `${name}: ${EXAMPLE_VALUES[name] ?? ''}`;
}

/** An object of all its known members, in one line of YAML. */
export function written({ known }: KnownMembers): string {
  return `{${Object.values(known).join(', ')}}`;
}
