import { CA_FILE, TLS_CERTIFICATE_FILE } from '../../shared/names.ts';
import { readPem } from '../../shared/pem.ts';
import { sha256Hex } from '../../shared/sha256.ts';
import { SigningError } from '../../shared/signing-error.ts';
import { isSelfSigned, readCertificate, type Certificate } from './certificate.ts';
import { findPath } from './chain-path.ts';
import {
  chainProblems,
  NOT_SELF_SIGNED,
  identityProblems,
  validityOf,
  validityProblems,
  type ChainProblem,
} from './chain-rules.ts';
import { jwsAlgorithmOf, type JwsAlgorithm } from './jws-algorithm.ts';

/** The certificates that stand in each signature. Exists only if verifiers accept them now. */
export interface CertificateChain {
  /** DER, the leaf first and the self-signed root last. */
  readonly certificates: readonly Uint8Array[];
  /** What the key of the leaf signs with. */
  readonly algorithm: JwsAlgorithm;
  /** SHA-256 of each certificate, in hex. */
  readonly thumbprints: readonly string[];
  /** The subject of the leaf, for people. */
  readonly subject: string;
  /** When all of them are valid: the latest beginning, and the earliest end. */
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Sentences about what works, and may surprise those who verify. */
  readonly warnings: readonly string[];
}

/** Where a certificate stands, such as `certificate 2 of tls.crt`. */
type PlaceOf = (certificate: Certificate) => string;

/** Chains have a few; bundles of a system's roots about 150. */
const MOST_CERTIFICATES = 500;
const CERT_MANAGER_FIX =
  'If cert-manager issues it, set usages: [digital signature, code signing] in the Certificate: its default adds "key encipherment". Else issue it without that usage.';

/**
 * Makes the chain of a leaf, and says what is wrong with it before anything is signed. The leaf is the
 * first certificate. Its issuers may stand in any order, in both texts; those that are not needed are
 * passed over.
 *
 * @param certificatePem tls.crt
 * @param caPem ca.crt, which cert-manager writes beside it
 * @throws SigningError CERTIFICATE_INVALID, CERTIFICATE_CHAIN_INCOMPLETE, CERTIFICATE_EXPIRED; each
 * with all problems of its kind
 */
export function readCertificateChain(
  certificatePem: string,
  caPem: string | undefined,
  now: Date,
): CertificateChain {
  // cert-manager leaves ca.crt empty where the issuer names no CA.
  const hasCa = caPem !== undefined && caPem.trim() !== '';
  const placed = readTexts([
    [TLS_CERTIFICATE_FILE, certificatePem],
    ...(hasCa ? [[CA_FILE, caPem] as const] : []),
  ]);
  const placeOf: PlaceOf = (certificate) => placed.get(certificate) ?? '';
  const [leaf, ...others] = placed.keys();
  if (!leaf) throw new Error('a text without certificates is without an error');
  const { path: chain, isComplete } = findPath(leaf, others, now, isSelfSigned);
  const broken = chainProblems(chain, 'code signing').filter(
    ({ what }) => isComplete || what !== NOT_SELF_SIGNED,
  );
  const lacking = isComplete ? [] : [missingIssuer(chain, others)];
  const untimely = validityProblems(chain, now);
  const problems = [...broken, ...lacking, ...untimely];
  if (problems.length > 0) {
    throw new SigningError(
      broken.length > 0
        ? 'CERTIFICATE_INVALID'
        : lacking.length > 0
          ? 'CERTIFICATE_CHAIN_INCOMPLETE'
          : 'CERTIFICATE_EXPIRED',
      describe(chain, problems, placeOf),
      { fix: fixOf(broken, lacking) },
    );
  }
  const { publicKey, subject } = leaf;
  const algorithm = publicKey && jwsAlgorithmOf(publicKey);
  if (!algorithm) throw new Error('a key of another kind is without a problem');
  return {
    certificates: chain.map(({ der }) => der),
    algorithm,
    thumbprints: chain.map(({ der }) => sha256Hex(der)),
    subject,
    ...validityOf(chain),
    warnings: identityProblems(leaf).map(
      (what) =>
        `the subject of the certificate (${subject}) ${what}: trust policies can accept it only with the identity "*"`,
    ),
  };
}

/** @throws SigningError CERTIFICATE_INVALID */
function readTexts(texts: readonly (readonly [file: string, pem: string])[]) {
  const problems: string[] = [];
  const placed = new Map<Certificate, string>();
  for (const [file, pem] of texts) {
    const { blocks, damaged } = readPem(pem);
    const isCertificate = ({ label }: { readonly label: string }) => label.endsWith('CERTIFICATE');
    const found = blocks.filter(isCertificate);
    const lost = damaged.filter(isCertificate);
    problems.push(
      ...lost.map(({ line, what }) => `the certificate in line ${line} of ${file} ${what}`),
    );
    if (found.length === 0 && lost.length === 0) problems.push(`${file} holds no PEM certificate`);
    if (found.length > MOST_CERTIFICATES) {
      problems.push(`${file} holds more than ${MOST_CERTIFICATES} certificates`);
      continue;
    }
    for (const [i, { bytes }] of found.entries()) {
      const place = `certificate ${i + 1} of ${file}`;
      try {
        placed.set(readCertificate(bytes), place);
      } catch {
        problems.push(`${place} cannot be read`);
      }
    }
  }
  if (problems.length > 0) {
    throw new SigningError('CERTIFICATE_INVALID', problems.join('; '), {
      fix: `Put the certificates as PEM under ${TLS_CERTIFICATE_FILE} and ${CA_FILE} into the Secret.`,
    });
  }
  return placed;
}

/** What the last certificate of an incomplete chain lacks. */
function missingIssuer(
  chain: readonly Certificate[],
  others: readonly Certificate[],
): ChainProblem & { readonly issuer: string } {
  const index = chain.length - 1;
  const { issuer, issuerName } = chain[index] ?? { issuer: '' };
  const isNamed = others.some(({ subjectName }) => issuerName?.equals(subjectName));
  const lack = isNamed
    ? 'the certificates of that name here have another key'
    : 'whose certificate is missing';
  return { index, issuer, what: `is issued by ${issuer}, ${isNamed ? 'and ' : ''}${lack}` };
}

/** Names each certificate with all that is wrong with it. */
function describe(
  chain: readonly Certificate[],
  problems: readonly ChainProblem[],
  placeOf: PlaceOf,
): string {
  const sentences = chain.flatMap((certificate, i) => {
    const whats = problems.filter(({ index }) => index === i).map(({ what }) => what);
    if (whats.length === 0) return [];
    return [`${placeOf(certificate)} (${certificate.subject}) ${whats.join(', and ')}`];
  });
  return sentences.join('; ');
}

/** Undefined where the usual fix of the code is right. */
function fixOf(
  broken: readonly ChainProblem[],
  lacking: readonly { readonly issuer: string }[],
): string | undefined {
  const isCertManagers = broken.some(({ what }) => what.includes('keyEncipherment'));
  const fixes = [
    ...(isCertManagers ? [CERT_MANAGER_FIX] : []),
    ...lacking.map(
      ({ issuer }) =>
        `Put the certificate of ${issuer}, and those above it up to the self-signed root, under ${CA_FILE} into the Secret.`,
    ),
  ];
  const isExplained = broken.length === 0 || isCertManagers;
  return isExplained && fixes.length > 0 ? fixes.join(' ') : undefined;
}
