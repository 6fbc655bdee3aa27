import { attributeTypes, isIssuedBy, isSelfSigned, type Certificate } from './certificate.ts';
import { jwsAlgorithmOf } from './jws-algorithm.ts';

/** What the leaf of a chain signs. */
export type Purpose = 'code signing' | 'timestamping';

/** A rule that a certificate of a chain breaks. */
export interface ChainProblem {
  /** The index of the certificate; the leaf is 0. */
  readonly index: number;
  /** What is wrong, as the rest of a sentence whose subject is the certificate. */
  readonly what: string;
}

/** Of the last certificate, where the root is missing. */
export const NOT_SELF_SIGNED = 'is not self-signed';
const LEAF_USAGES = ['digitalSignature', 'nonRepudiation'];
/** Of the specification, and OCSPSigning, which notation refuses as well. */
const FORBIDDEN_PURPOSES = [
  'anyExtendedKeyUsage',
  'serverAuth',
  'clientAuth',
  'emailProtection',
  'timeStamping',
  'OCSPSigning',
];

/**
 * Which rules a chain breaks, whatever the time: the signature specification ("Certificate
 * Requirements") and notation-go, the stricter of the two. For timestamps notation-go alone: many
 * public timestamp servers break the specification.
 *
 * @param chain the leaf first; the last one is to be its root
 */
export function chainProblems(chain: readonly Certificate[], purpose: Purpose): ChainProblem[] {
  return chain.flatMap((certificate, index) => {
    const issuer = chain[index + 1];
    const rules =
      index === 0 ? leafRules(certificate, purpose) : caRules(certificate, index, purpose);
    return [...rules, ...commonRules(certificate), ...issuerRules(certificate, issuer)].map(
      (what) => ({ index, what }),
    );
  });
}

/** Which certificates of a chain are not valid at a moment. */
export function validityProblems(chain: readonly Certificate[], moment: Date): ChainProblem[] {
  return chain.flatMap(({ notBefore, notAfter }, index) => {
    if (moment < notBefore) return [{ index, what: `is not valid before ${second(notBefore)}` }];
    return moment > notAfter ? [{ index, what: `expired at ${second(notAfter)}` }] : [];
  });
}

/** When all certificates of a chain are valid. */
export function validityOf(chain: readonly Certificate[]) {
  return {
    notBefore: new Date(Math.max(...chain.map(({ notBefore }) => notBefore.getTime()))),
    notAfter: new Date(Math.min(...chain.map(({ notAfter }) => notAfter.getTime()))),
  };
}

/** A time in RFC 3339, in UTC and in whole seconds. */
export function second(time: Date): string {
  return time.toISOString().replace(/\.\d+/, '');
}

function leafRules(leaf: Certificate, purpose: Purpose): string[] {
  const { basicConstraints, publicKey } = leaf;
  return [
    ...(basicConstraints?.isCa === true ? ['is that of a CA'] : []),
    ...(publicKey && jwsAlgorithmOf(publicKey) ? [] : ['has a key of another kind or size']),
    ...leafUsageRules(leaf, purpose),
    ...(purpose === 'timestamping' ? timestampPurposeRules(leaf) : signingPurposeRules(leaf)),
  ];
}

function leafUsageRules({ keyUsage }: Certificate, purpose: Purpose): string[] {
  if (!keyUsage) return ['has no key usage'];
  const others = keyUsage.usages.filter((usage) => !LEAF_USAGES.includes(usage));
  return [
    ...(keyUsage.isCritical || purpose === 'timestamping'
      ? []
      : ['has a key usage that is not critical']),
    ...(keyUsage.usages.includes('digitalSignature')
      ? []
      : ['lacks the key usage digitalSignature']),
    ...(others.length === 0 ? [] : [`has the key usage ${others.join(', ')}`]),
  ];
}

function signingPurposeRules({ extendedKeyUsage }: Certificate): string[] {
  const purposes = extendedKeyUsage?.purposes ?? [];
  const forbidden = purposes.filter((purpose) => FORBIDDEN_PURPOSES.includes(purpose));
  return forbidden.length === 0 ? [] : [`has the extended key usage ${forbidden.join(', ')}`];
}

/** RFC 3161, 2.3. */
function timestampPurposeRules({ extendedKeyUsage }: Certificate): string[] {
  const purposes = extendedKeyUsage?.purposes.join();
  const isRight = purposes === 'timeStamping' && extendedKeyUsage?.isCritical === true;
  return isRight ? [] : ['has not timeStamping alone as its extended key usage, marked critical'];
}

function caRules(ca: Certificate, index: number, purpose: Purpose): string[] {
  const { basicConstraints, keyUsage } = ca;
  const { pathLength = Infinity } = basicConstraints ?? {};
  const isLenient = purpose === 'timestamping';
  return [
    ...(basicConstraints?.isCa === true ? [] : ['is not that of a CA']),
    ...(basicConstraints?.isCritical === false && !isLenient
      ? ['has basic constraints that are not critical']
      : []),
    ...(pathLength < index - 1
      ? [`allows ${pathLength} CA certificates below it, and has ${index - 1}`]
      : []),
    ...(keyUsage ? [] : ['has no key usage']),
    ...(keyUsage?.isCritical === false && !isLenient
      ? ['has a key usage that is not critical']
      : []),
    ...(keyUsage && !keyUsage.usages.includes('keyCertSign')
      ? ['lacks the key usage keyCertSign']
      : []),
  ];
}

function commonRules({ refusal, isVersion3, isSignedWithSha2 }: Certificate): string[] {
  return [
    ...(refusal === undefined ? [] : [refusal]),
    ...(isVersion3 ? [] : ['is not of version 3']),
    ...(isSignedWithSha2 ? [] : ['is not signed with RSA, ECDSA or Ed25519 over SHA-2']),
  ];
}

function issuerRules(certificate: Certificate, issuer: Certificate | undefined): string[] {
  if (!issuer) return isSelfSigned(certificate) ? [] : [NOT_SELF_SIGNED];
  if (isSelfSigned(certificate)) return ['is self-signed, and others follow it'];
  return isIssuedBy(certificate, issuer) ? [] : ['is not issued by the next one'];
}

/** Attributes that the parsers of trust policies know: C, O, OU, CN, serialNumber, L, ST, STREET, postalCode. */
const KNOWN_ATTRIBUTES = [6, 10, 11, 3, 5, 7, 8, 9, 17].map((number) => `2.5.4.${number}`);
/** What an identity in a trust policy must have. */
const NEEDED_ATTRIBUTES = [
  ['C', '2.5.4.6'],
  ['ST', '2.5.4.8'],
  ['O', '2.5.4.10'],
] as const;

/**
 * Why no trust policy can name this subject: `x509.subject` identities of the trust policy
 * specification have C, ST and O, each attribute once, and no attribute that notation has no name for.
 *
 * @returns the ends of a sentence whose subject is the subject of the certificate
 */
export function identityProblems(leaf: Certificate): string[] {
  const types = attributeTypes(leaf).flat();
  const lacking = NEEDED_ATTRIBUTES.filter(([, type]) => !types.includes(type));
  const unknown = types.filter((type) => !KNOWN_ATTRIBUTES.includes(type));
  const isRepeated = new Set(types).size < types.length;
  return [
    ...(lacking.length === 0 ? [] : [`lacks ${lacking.map(([name]) => name).join(', ')}`]),
    ...(unknown.length === 0
      ? []
      : [`has attributes that notation cannot name (${unknown.join(', ')})`]),
    ...(isRepeated ? ['has an attribute twice'] : []),
  ];
}
