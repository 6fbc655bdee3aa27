import {
  BIT_STRING,
  contentOf,
  identifierOf,
  INTEGER,
  NULL,
  OBJECT_IDENTIFIER,
  readDer,
  sequenceOf,
  SET,
  type DerValue,
} from '../../shared/der.ts';
import { berToDer } from './ber.ts';

/** An extension of a certificate. */
export interface Extension {
  /** The hex of its object identifier. */
  readonly identifier: string;
  readonly isCritical: boolean;
  readonly value: Buffer;
}

/** The parts of a certificate that Go looks at closely. */
export interface CertificateParts {
  readonly der: Buffer;
  readonly serialNumber: Buffer;
  /** The content of both Names. */
  readonly names: readonly Buffer[];
  /** SubjectPublicKeyInfo. */
  readonly key: DerValue | undefined;
  readonly extensions: readonly Extension[];
}

/** Object identifiers, the hex of their content. */
const RSA_KEY = '2a864886f70d010101';
const EC_KEY = '2a8648ce3d0201';
const ED25519_KEY = '2b6570';
const SUBJECT_ALTERNATIVE_NAME = '551d11';
const KEY_USAGE = '551d0f';
/** As OpenSSL names them. RFC 5280 wants them not critical. */
const NEVER_CRITICAL: ReadonlyMap<string, string> = new Map([
  ['551d0e', 'subjectKeyIdentifier'],
  ['551d23', 'authorityKeyIdentifier'],
  ['2b06010505070101', 'authorityInfoAccess'],
]);
/** P-224, P-256, P-384 and P-521. */
const CURVES = ['2b81040021', '2a8648ce3d030107', '2b81040022', '2b81040023'];
const SMALLEST_RSA_OCTETS = 128;
const UNCOMPRESSED_POINT = 0x04;

/** Which characters each type of string may have, by tag. */
const STRINGS: ReadonlyMap<number, readonly [name: string, isValid: (value: Buffer) => boolean]> =
  new Map([
    [0x0c, ['UTF8String', isUtf8]],
    [0x12, ['NumericString', (value) => /^[0-9 ]*$/.test(value.toString('latin1'))]],
    [0x13, ['PrintableString', (value) => PRINTABLE.test(value.toString('latin1'))]],
    [0x14, ['T61String', () => true]],
    [0x16, ['IA5String', isAscii]],
    [0x1e, ['BMPString', isBmp]],
  ]);
/** With `*` and `&`, which Go lets pass. */
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?*&-]*$/;
/** Surrogates, and what is no character. */
const NOT_BMP = /[\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]/;
/** A URI with a host that Go reads, or without one. */
const URI = /^[a-z][a-z0-9+.-]*:(?:\/\/[\w-]+(?:\.[\w-]+)*(?::\d+)?(?:[/?#]|$)|(?!\/\/))[!-~]*$/i;
const BAD_ESCAPE = /%(?![0-9a-f]{2})/i;
/** Tags of the names in a subject alternative name that Go reads. */
const [EMAIL, DNS, URI_NAME, IP] = [0x81, 0x82, 0x86, 0x87];

/**
 * Why verifiers in Go do not read a certificate that OpenSSL reads, or not its key; undefined if they do.
 * Without it, the signer would sign with a certificate that every verifier calls malformed.
 *
 * @returns the rest of a sentence whose subject is the certificate
 * @throws RangeError when it is no DER
 */
export function refusalOfGo(parts: CertificateParts): string | undefined {
  const { der, serialNumber, names, key, extensions } = parts;
  if (!berToDer(der).equals(der)) return 'is not in strict DER';
  if ((serialNumber[0] ?? 0) >= 0x80) return 'has a negative serial number';
  const byType = new Map(extensions.map((extension) => [extension.identifier, extension]));
  if (byType.size < extensions.length) return 'has an extension twice';
  for (const [identifier, name] of NEVER_CRITICAL) {
    if (byType.get(identifier)?.isCritical === true) return `has a critical ${name}`;
  }
  const usage = byType.get(KEY_USAGE);
  if (usage && !isBitString(readDer(usage.value)[0])) return 'has a key usage that is malformed';
  return (
    names.map(refusalOfName).find((refusal) => refusal !== undefined) ??
    refusalOfKey(key) ??
    refusalOfAlternativeName(byType.get(SUBJECT_ALTERNATIVE_NAME))
  );
}

function refusalOfName(name: Buffer): string | undefined {
  for (const part of readDer(name)) {
    for (const attribute of readDer(contentOf(part, SET))) {
      const [, value] = sequenceOf(attribute);
      const [type, isValid] = STRINGS.get(value?.tag ?? 0) ?? [];
      if (type === undefined || !value) return 'has a name with a string of an unknown type';
      if (!isValid?.(value.content)) return `has a name with characters that no ${type} may have`;
    }
  }
  return undefined;
}

function refusalOfKey(key: DerValue | undefined): string | undefined {
  const [algorithm, bits] = sequenceOf(key);
  const [identifier, parameters] = sequenceOf(algorithm);
  const content = contentOf(bits, BIT_STRING).subarray(1);
  switch (identifierOf(identifier)) {
    case RSA_KEY:
      return parameters?.tag === NULL
        ? refusalOfRsaKey(content)
        : 'has an RSA key without its parameter NULL';
    case ED25519_KEY:
      return parameters ? 'has an Ed25519 key with parameters' : undefined;
    case EC_KEY:
      if (parameters?.tag !== OBJECT_IDENTIFIER) return 'has an EC key without the name of a curve';
      if (!CURVES.includes(identifierOf(parameters))) return 'has an EC key on an unknown curve';
      return content[0] === UNCOMPRESSED_POINT ? undefined : 'has an EC key in the compressed form';
    default:
      return 'has a key of an unknown kind';
  }
}

function refusalOfRsaKey(content: Buffer): string | undefined {
  const [modulus, exponent] = sequenceOf(readDer(content)[0]).map((value) =>
    contentOf(value, INTEGER),
  );
  const octets = modulus?.findIndex((octet) => octet !== 0) === 1 ? modulus.subarray(1) : modulus;
  if ((octets?.length ?? 0) < SMALLEST_RSA_OCTETS) return 'has an RSA key of less than 1024 bits';
  return (exponent?.length ?? 0) > 4 ? 'has an RSA key with too large an exponent' : undefined;
}

function refusalOfAlternativeName(extension: Extension | undefined): string | undefined {
  if (!extension) return undefined;
  const isRead = ({ tag, content }: DerValue): boolean => {
    const text = content.toString('latin1');
    if (tag === URI_NAME) return URI.test(text) && !BAD_ESCAPE.test(text);
    if (tag === IP) return content.length === 4 || content.length === 16;
    return (tag !== EMAIL && tag !== DNS) || isAscii(content);
  };
  const names = sequenceOf(readDer(extension.value)[0]);
  return names.every(isRead) ? undefined : 'has a subject alternative name that is malformed';
}

/** Whether a BIT STRING has no bits beyond its end. */
function isBitString(value: DerValue | undefined): boolean {
  const content = contentOf(value, BIT_STRING);
  const [unused = 8, ...octets] = content;
  const last = octets.at(-1) ?? 0;
  if (octets.length === 0) return unused === 0;
  return unused < 8 && (last & ((1 << unused) - 1)) === 0;
}

function isAscii(value: Buffer): boolean {
  return value.every((octet) => octet < 0x80);
}

function isUtf8(value: Buffer): boolean {
  return Buffer.from(value.toString('utf8')).equals(value);
}

function isBmp(value: Buffer): boolean {
  if (value.length % 2 !== 0) return false;
  return !NOT_BMP.test(Buffer.from(value).swap16().toString('utf16le'));
}
