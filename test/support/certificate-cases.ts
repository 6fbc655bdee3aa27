/** Certificates that verifiers accept or refuse, and what the product says about them. */
import { generateKeyPairSync } from 'node:crypto';
import { encodeDer } from '../../src/shared/der.ts';
import {
  basicConstraints,
  CA_EXTENSIONS,
  COUNTRY,
  ecKey,
  extendedKeyUsage,
  keyUsage,
  LEAF_EXTENSIONS,
  rsaKey,
  subjectOf,
  type CertificateOptions,
  type Extension,
} from './issued-certificate.ts';

/** A leaf with these usages. */
export const withUsage = (...extensions: readonly Extension[]): CertificateOptions => ({
  extensions: [basicConstraints(false), ...extensions],
});
const signature = keyUsage(['digitalSignature']);

const alternativeName = (tag: number, text: string): Extension => ({
  type: '551d11',
  isCritical: false,
  value: encodeDer(0x30, encodeDer(tag, Buffer.from(text))),
});

/** Leaves that verifiers accept. */
export const GOOD_LEAVES: Readonly<Record<string, CertificateOptions>> = {
  'usages alone': { extensions: [signature] },
  'a large exponent that verifiers read': { key: rsaKey(2048, 0x7fffffff) },
  'no extended key usage': withUsage(signature),
  'a critical extended key usage': withUsage(signature, extendedKeyUsage(['codeSigning'], true)),
  nonRepudiation: withUsage(keyUsage(['digitalSignature', 'nonRepudiation'])),
  'constraints that are not critical': {
    extensions: [basicConstraints(false, undefined, false), signature],
  },
  'a critical extension that nobody knows': {
    extensions: [...LEAF_EXTENSIONS, { type: '2a0304', isCritical: true, value: encodeDer(0x05) }],
  },
  'names of many kinds': withUsage(signature, {
    type: '551d11',
    isCritical: true,
    value: encodeDer(
      0x30,
      ...['spiffe://example.org/ns/a/sa/b%20c', 'urn:uuid:1', 'https://a_b.c:443?x'].map((uri) =>
        encodeDer(0x86, Buffer.from(uri)),
      ),
      encodeDer(0x82, Buffer.from('*.example.org')),
      encodeDer(0x81, Buffer.from('a@example.org')),
      encodeDer(0x87, Buffer.from([127, 0, 0, 1])),
      encodeDer(0xa4, encodeDer(0x30)),
    ),
  }),
  'a name with an umlaut': { subject: subjectOf('Büro') },
  'a year beyond 2050': { to: new Date('2055-01-01T00:00:00Z') },
};

/** Leaves that break one rule, and what is said about it. */
export const BAD_LEAVES: Readonly<Record<string, readonly [CertificateOptions, RegExp]>> = {
  'no key usage': [withUsage(), /has no key usage/],
  'a key usage that is not critical': [
    withUsage(keyUsage(['digitalSignature'], false)),
    /a key usage that is not critical/,
  ],
  'no digitalSignature': [withUsage(keyUsage(['nonRepudiation'])), /lacks .*digitalSignature/],
  ...Object.fromEntries(
    (
      [
        'keyEncipherment',
        'dataEncipherment',
        'keyAgreement',
        'keyCertSign',
        'cRLSign',
        'encipherOnly',
        'decipherOnly',
      ] as const
    ).map((usage) => [
      usage,
      [withUsage(keyUsage(['digitalSignature', usage])), new RegExp(`has the key usage ${usage}$`)],
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        'anyExtendedKeyUsage',
        'serverAuth',
        'clientAuth',
        'emailProtection',
        'timeStamping',
        'OCSPSigning',
      ] as const
    ).map((purpose) => [
      purpose,
      [
        withUsage(signature, extendedKeyUsage(['codeSigning', purpose])),
        new RegExp(`has the extended key usage ${purpose}$`),
      ],
    ]),
  ),
  'a CA': [{ extensions: [basicConstraints(true), signature] }, /is that of a CA/],
  'RSA 1024': [{ key: rsaKey(1024) }, /key of another kind or size/],
  'RSA 2056': [{ key: rsaKey(2056) }, /key of another kind or size/],
  'RSA 2047': [{ key: rsaKey(2047) }, /key of another kind or size/],
  secp256k1: [{ key: ecKey('secp256k1') }, /key of another kind or size/],
  'P-224': [{ key: ecKey('P-224') }, /key of another kind or size/],
  Ed25519: [{ key: generateKeyPairSync('ed25519').privateKey }, /key of another kind or size/],
  'SHA-1': [{ hash: 'sha1' }, /over SHA-2/],
  'a negative serial number': [{ serialNumber: Buffer.from([0x80, 1]) }, /negative serial number/],
  'a serial number with a zero too many': [{ serialNumber: Buffer.from([0, 1]) }, /cannot be read/],
  'a country with an umlaut': [
    { subject: [[COUNTRY, 'Ö'], ...subjectOf('x').slice(1)] },
    /characters that no PrintableString may have/,
  ],
  'an address with an umlaut': [
    { subject: [...subjectOf('x'), ['2a864886f70d010901', 'a@ö']] },
    /characters that no IA5String may have/,
  ],
  ...Object.fromEntries(
    (
      [
        ['subjectKeyIdentifier', '551d0e', encodeDer(0x04, Buffer.from([1]))],
        ['authorityKeyIdentifier', '551d23', encodeDer(0x30)],
        ['authorityInfoAccess', '2b06010505070101', encodeDer(0x30)],
      ] as const
    ).map(([name, type, value]) => [
      `a critical ${name}`,
      [withUsage(signature, { type, isCritical: true, value }), new RegExp(`a critical ${name}`)],
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ['a DNS name with an umlaut', 0x82, 'bücher.example'],
        ['an address of five octets', 0x87, '12345'],
        ['a URI with a host that is none', 0x86, 'spiffe://a..b/c'],
        ['a URI with a wrong escape', 0x86, 'spiffe://a.b/%zz'],
      ] as const
    ).map(([name, tag, text]) => [
      name,
      [
        withUsage(signature, alternativeName(tag, text)),
        /subject alternative name that is malformed/,
      ],
    ]),
  ),
  'an extension twice': [withUsage(signature, signature), /has an extension twice/],
};

/** CAs that break one rule, with one more CA below. */
export const BAD_CAS: Readonly<Record<string, readonly [CertificateOptions, RegExp]>> = {
  'no constraints': [{ extensions: [keyUsage(['keyCertSign'])] }, /is not that of a CA/],
  'no CA': [
    { extensions: [basicConstraints(false), keyUsage(['keyCertSign'])] },
    /is not that of a CA/,
  ],
  'constraints that are not critical': [
    { extensions: [basicConstraints(true, undefined, false), keyUsage(['keyCertSign'])] },
    /basic constraints that are not critical/,
  ],
  'no key usage': [{ extensions: [basicConstraints(true)] }, /has no key usage/],
  'a key usage that is not critical': [
    { extensions: [basicConstraints(true), keyUsage(['keyCertSign'], false)] },
    /a key usage that is not critical/,
  ],
  'no keyCertSign': [
    { extensions: [basicConstraints(true), keyUsage(['cRLSign'])] },
    /lacks the key usage keyCertSign/,
  ],
  'a path of another length': [
    { extensions: [basicConstraints(true, 0), keyUsage(['keyCertSign'])] },
    /allows 0 CA certificates below it, and has 1/,
  ],
  'RSA 512': [{ extensions: CA_EXTENSIONS, key: rsaKey(512) }, /less than 1024 bits/],
  'a large exponent': [
    { extensions: CA_EXTENSIONS, key: rsaKey(2048, 0xffffffff) },
    /too large an exponent/,
  ],
  secp256k1: [{ extensions: CA_EXTENSIONS, key: ecKey('secp256k1') }, /an unknown curve/],
  'version 1': [{ version: 1, extensions: [] }, /is not of version 3/],
  'SHA-1': [{ extensions: CA_EXTENSIONS, hash: 'sha1' }, /over SHA-2/],
};
