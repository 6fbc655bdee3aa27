import fc from 'fast-check';
import t from 'tap';
import { EnvelopeError, readEnvelope } from '../../../../src/sidecar/notation/envelope-reader.ts';
import { bundle, ecKey, issue, issueCas, rsaKey } from '../../../support/issued-certificate.ts';
import { runs } from '../../../support/runs.ts';
import {
  makeSignature,
  signRaw,
  TARGET,
  uncheckedSigner,
} from '../../../support/signature-fixture.ts';

const NOW = new Date(Math.floor(Date.now() / 1000) * 1000);
const HOUR = 60 * 60 * 1000;
const [issuer, root] = issueCas();
const leaf = issue({ issuer });
const SCHEME = 'io.cncf.notary.signingScheme';
const TIME = 'io.cncf.notary.signingTime';
const EXPIRY = 'io.cncf.notary.expiry';
const good = await makeSignature(uncheckedSigner('ES256', leaf, issuer, root), {
  signingTime: NOW,
  expiry: new Date(NOW.getTime() + HOUR),
});

type Json = Record<string, unknown>;
interface Draft {
  readonly envelope: Json;
  readonly protected: Json;
  readonly payload: { targetArtifact: Json } & Json;
}

/** The good envelope with changes before it is signed, and afterwards. */
function changed(
  change: (draft: Draft) => void,
  afterwards: (envelope: Json) => void = () => undefined,
  texts: { readonly protected?: string; readonly payload?: string } = {},
): Uint8Array {
  const envelope = parse(Buffer.from(good).toString());
  const decode = (member: string) =>
    parse(Buffer.from(String(envelope[member]), 'base64url').toString());
  const draft = { envelope, protected: decode('protected'), payload: decode('payload') } as Draft;
  change(draft);
  const encode = (text: string) => Buffer.from(text).toString('base64url');
  envelope['protected'] = encode(texts.protected ?? JSON.stringify(draft.protected));
  envelope['payload'] = encode(texts.payload ?? JSON.stringify(draft.payload));
  const input = Buffer.from(`${String(envelope['protected'])}.${String(envelope['payload'])}`);
  envelope['signature'] = signRaw(leaf.key, 'ES256', input).toString('base64url');
  afterwards(envelope);
  return Buffer.from(JSON.stringify(envelope));
}

function parse(text: string): Json {
  return JSON.parse(text) as Json;
}

function reason(bytes: Uint8Array): string {
  try {
    readEnvelope(bytes, NOW);
    return 'accepted';
  } catch (error) {
    if (error instanceof EnvelopeError) return error.message;
    throw error;
  }
}

const header = ({ envelope }: Draft) => envelope['header'] as Json;
const iso = (time: number) => new Date(time).toISOString().replace('.000', '');
/** Changes members of the protected header; undefined takes one away, as JSON does. */
const protect =
  (members: Json): ((draft: Draft) => void) =>
  (draft) => {
    Object.assign(draft.protected, members);
  };
const target =
  (members: Json): ((draft: Draft) => void) =>
  (draft) => {
    Object.assign(draft.payload.targetArtifact, members);
  };
const chain =
  (...certificates: readonly { readonly der: Buffer }[]): ((draft: Draft) => void) =>
  (draft) => {
    header(draft)['x5c'] = certificates.map(({ der }) => der.toString('base64'));
  };

const REFUSED: readonly (readonly [string, (draft: Draft) => void, RegExp])[] = [
  ['no crit', protect({ crit: undefined }), /protected lacks crit/],
  ['an expiry that is not critical', protect({ crit: [SCHEME] }), /crit does not name exactly/],
  ['alg as critical', protect({ crit: [SCHEME, EXPIRY, 'alg'] }), /crit does not name exactly/],
  ['the signing time as critical', protect({ crit: [SCHEME, EXPIRY, TIME] }), /crit does not/],
  ['a critical header twice', protect({ crit: [SCHEME, SCHEME, EXPIRY] }), /crit does not/],
  ['an absent critical header', protect({ crit: [SCHEME, EXPIRY, 'x'] }), /crit does not/],
  [
    'an unknown critical header',
    protect({ crit: [SCHEME, EXPIRY, 'x'], x: 'y' }),
    /protected has the member "x"/,
  ],
  ['a list in crit', protect({ crit: [[SCHEME], EXPIRY] }), /crit does not/],
  ['crit that is no list', protect({ crit: SCHEME }), /crit does not/],
  ['another scheme', protect({ [SCHEME]: 'notary.x509.signingAuthority' }), /signingScheme is "/],
  ['no scheme', protect({ [SCHEME]: undefined }), /lacks io.cncf.notary.signingScheme/],
  [
    'an authentic signing time',
    protect({ 'io.cncf.notary.authenticSigningTime': iso(NOW.getTime()) }),
    /has the member "io.cncf.notary.authenticSigningTime"/,
  ],
  [
    'a verification plugin',
    protect({ 'io.cncf.notary.verificationPlugin': 'x' }),
    /has the member "io.cncf.notary.verificationPlugin"/,
  ],
  ['no signing time', protect({ [TIME]: undefined }), /lacks io.cncf.notary.signingTime/],
  [
    'a signing time with a fraction',
    protect({ [TIME]: new Date(NOW).toISOString() }),
    /no time in whole seconds/,
  ],
  ['a signing time without zone', protect({ [TIME]: '2026-11-30T05:00:00' }), /no time in whole/],
  ['a signing time in lower case', protect({ [TIME]: '2026-11-30t05:00:00z' }), /no time in whole/],
  ['a day that there is not', protect({ [TIME]: '2026-02-30T05:00:00Z' }), /no time in whole/],
  ['an hour that there is not', protect({ [TIME]: '2026-02-20T24:00:00Z' }), /no time in whole/],
  ['a number as signing time', protect({ [TIME]: 5 }), /no time in whole/],
  ['a signing time ahead', protect({ [TIME]: iso(NOW.getTime() + HOUR) }), /in the future/],
  [
    'a signing time before the certificate',
    protect({ [TIME]: '2020-01-01T00:00:00Z' }),
    /at the time of signing, certificate 1 of x5c .* is not valid before/,
  ],
  ['another content type', protect({ cty: 'application/json' }), /cty is "application\/json"/],
  ['no content type', protect({ cty: undefined }), /lacks cty/],
  ['an expiry at once', protect({ [EXPIRY]: iso(NOW.getTime()) }), /expiry is not after/],
  ['another algorithm', protect({ alg: 'ES384' }), /alg is "ES384", and that of .* ES256/],
  ['no algorithm', protect({ alg: 'none' }), /alg is "none"/],
  ['RS256', protect({ alg: 'RS256' }), /alg is "RS256"/],
  ['typ', protect({ typ: 'JWT' }), /protected has the member "typ"/],
  ['another digest', target({ digest: 'sha512:aa' }), /digest is "sha512:aa"/],
  ['a digest in upper case', target({ digest: TARGET.digest.toUpperCase() }), /digest is/],
  ['a size with a fraction', target({ size: 1.5 }), /payload is no JSON object that all/],
  ['a size below zero', target({ size: -1 }), /payload is no JSON object that all/],
  ['a size as text', target({ size: '1' }), /size is no whole number/],
  ['a size beyond numbers', target({ size: 1e20 }), /size is no whole number/],
  ['no media type', target({ mediaType: '' }), /mediaType is ""/],
  ['annotations of numbers', target({ annotations: { a: 1 } }), /annotations are no texts/],
  ['a list as annotations', target({ annotations: ['a'] }), /annotations are no texts/],
  ['an unknown member of the target', target({ urls: ['x'] }), /targetArtifact has the member/],
  ['an unknown member of the payload', ({ payload }) => (payload['x'] = 'y'), /payload has the/],
  [
    'no target',
    ({ payload }) => (payload.targetArtifact = 'x' as unknown as Json),
    /targetArtifact is no object/,
  ],
  ['a fifth member', ({ envelope }) => (envelope['x'] = 'y'), /the envelope has the member "x"/],
  ['signatures', ({ envelope }) => (envelope['signatures'] = []), /has the member "signatures"/],
  ['kid', (draft) => (header(draft)['kid'] = 'x'), /header has the member "kid"/],
  ['a header that is none', ({ envelope }) => (envelope['header'] = []), /header is no object/],
  ['an agent that is no text', (d) => (header(d)['io.cncf.notary.signingAgent'] = 1), /Agent is 1/],
  ['no x5c', (draft) => delete header(draft)['x5c'], /header lacks x5c/],
  ['an empty x5c', chain(), /x5c has no certificate/],
  ['many certificates', chain(...Array<typeof leaf>(21).fill(leaf)), /more than 20/],
  [
    'x5c in base64url',
    (draft) => (header(draft)['x5c'] = [`${leaf.der.toString('base64url')}_-`]),
    /certificate 1 of x5c is no standard base64/,
  ],
  [
    'a certificate in PEM',
    (draft) => (header(draft)['x5c'] = [Buffer.from(bundle(leaf)).toString('base64')]),
    /certificate 1 of x5c cannot be read/,
  ],
  [
    'bytes after a certificate',
    (draft) => {
      const der = Buffer.concat([leaf.der, Buffer.alloc(3)]);
      header(draft)['x5c'] = [der.toString('base64')];
    },
    /certificate 1 of x5c cannot be read/,
  ],
  ['no root', chain(leaf, issuer), /certificate 2 of x5c \(.*CN=intermediate\) is not self-signed/],
  ['the leaf alone', chain(leaf), /certificate 1 of x5c .* is not self-signed/],
  [
    'the root twice',
    chain(leaf, issuer, root, root),
    /certificate 3 .* is self-signed, and others/,
  ],
  ['another order', chain(leaf, root, issuer), /certificate 1 .* is not issued by the next one/],
  ['the leaf last', chain(issuer, root, leaf), /does not verify with the key of the first/],
  ['another leaf', chain(issue({ issuer }), issuer, root), /does not verify with the key/],
  ['a leaf of another kind', chain(issue({ key: rsaKey(2048), issuer })), /that of .* PS256/],
  ['a leaf that may not sign', chain(issue({ key: ecKey('secp256k1') })), /none that may sign/],
  [
    'another root',
    chain(leaf, issuer, issueCas()[1]),
    /certificate 2 of x5c .* is not issued by the next one/,
  ],
  [
    'a timestamp in base64url',
    (draft) => (header(draft)['io.cncf.notary.timestampSignature'] = '_-8'),
    /timestampSignature is no standard base64/,
  ],
];

t.test('what the specification does not allow is refused, and why', async (t) => {
  for (const [name, change, message] of REFUSED) t.match(reason(changed(change)), message, name);
});

t.test(
  'what notation writes is read: annotations, no agent, the clock of another zone',
  async (t) => {
    const berlin = `${new Date(NOW.getTime() + HOUR).toISOString().slice(0, 19)}+01:00`;
    const newYork = `${new Date(NOW.getTime() - 3.5 * HOUR).toISOString().slice(0, 19)}-03:30`;
    for (const time of [berlin, newYork, iso(NOW.getTime())]) {
      const bytes = changed((draft) => {
        draft.protected[TIME] = time;
        delete header(draft)['io.cncf.notary.signingAgent'];
        draft.payload.targetArtifact['annotations'] = { 'a.b/c': 'd' };
      });
      const envelope = readEnvelope(bytes, NOW);
      t.same(envelope.signingTime, NOW, time);
      t.same(envelope.target.annotations, { 'a.b/c': 'd' });
    }
    const spaced = Buffer.from(JSON.stringify(parse(Buffer.from(good).toString()), undefined, 2));
    t.equal(reason(spaced), 'accepted');
    t.equal(reason(changed(protect({ crit: [EXPIRY, SCHEME] }))), 'accepted', 'crit in any order');
    t.equal(reason(changed(protect({ [TIME]: iso(NOW.getTime() + 60_000) }))), 'accepted');
  },
);

t.test('names that stand twice, or differ by case, are refused', async (t) => {
  const text = Buffer.from(good).toString();
  const odd = [
    text.replace('{', '{"payload":"eA",'),
    text.replace('{', '{"PAYLOAD":"eA",'),
    text.replace('"x5c"', '"X5C":[],"x5c"'),
    text.replace('"signature"', '"\\u0073ignature":"eA","signature"'),
    text.replace('"signature"', '"\\u017fignature":"eA","signature"'),
  ];
  for (const one of odd) t.match(reason(Buffer.from(one)), /no JSON object that all readers/);
  const { targetArtifact } = { targetArtifact: TARGET };
  const twice = JSON.stringify({ targetArtifact }).replace('"size"', '"size":1,"size"');
  t.match(reason(changed(() => undefined, undefined, { payload: twice })), /payload is no JSON/);
  const exponent = JSON.stringify({ targetArtifact }).replace(/"size":\d+/, '"size":1e2');
  t.match(reason(changed(() => undefined, undefined, { payload: exponent })), /payload is no JSON/);
});

t.test('signature, payload and protected have one spelling each', async (t) => {
  for (const name of ['payload', 'protected', 'signature']) {
    const damages: readonly ((text: string) => unknown)[] = [
      (text) => `${text}=`,
      (text) => `${text}\n`,
      (text) => text.replace(/.$/, '~'),
      () => '',
      () => 5,
      () => undefined,
    ];
    for (const damage of damages) {
      const bytes = changed(
        () => undefined,
        (envelope) => (envelope[name] = damage(String(envelope[name]))),
      );
      t.match(reason(bytes), /is no base64url|lacks|no JSON|does not verify/, name);
    }
  }
  const der = changed(
    () => undefined,
    (envelope) => {
      const raw = Buffer.from(String(envelope['signature']), 'base64url');
      const number = (half: Buffer) => Buffer.concat([Buffer.from([2, 33, 0]), half]);
      const both = [number(raw.subarray(0, 32)), number(raw.subarray(32))];
      envelope['signature'] = Buffer.concat([Buffer.from([48, 70]), ...both]).toString('base64url');
    },
  );
  t.match(reason(der), /does not verify/, 'ECDSA in DER');
});

t.test('bytes that are no envelope are refused at once', async (t) => {
  const deep = `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const texts = ['', '{}', '[]', 'null', '<html>', '{"payload":1}', deep, '\ufeff{}'];
  for (const text of texts) t.not(reason(Buffer.from(text)), 'accepted');
  t.not(reason(Buffer.concat([good, Buffer.from([0xff])])), 'accepted');
  t.not(reason(Buffer.alloc(5 * 1024 * 1024, ' ')), 'accepted');
  const padded = Buffer.concat([good, Buffer.alloc(4 * 1024 * 1024, ' ')]);
  t.match(reason(padded), /no JSON object/);
});

t.test('a good envelope with one byte changed is refused, or reads the same', async (t) => {
  const whole = readEnvelope(good, NOW);
  const anyPlace = fc.nat({ max: good.length - 1 });
  fc.assert(
    fc.property(anyPlace, fc.integer({ min: 0, max: 255 }), (place, octet) => {
      const bytes = Buffer.from(good);
      bytes.writeUInt8(octet, place);
      if (reason(bytes) !== 'accepted') return;
      t.same(readEnvelope(bytes, NOW), whole);
    }),
    runs(5000),
  );
});
