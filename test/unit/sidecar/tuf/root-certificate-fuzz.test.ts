import fc from 'fast-check';
import t from 'tap';
import { formatPem, readPem } from '../../../../src/shared/pem.ts';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { makeCertificate } from '../../../support/trust/certificate.ts';
import { makeKey, relist } from '../../../support/trust/key.ts';
import { buildRepository, GUN } from '../../../support/trust/repository.ts';
import { verifyBuilt } from '../support/trust/verification.ts';
import { runs } from '../../../support/runs.ts';

const key = makeKey();
const chain = [
  makeCertificate({ commonName: GUN, key }),
  makeCertificate({ commonName: 'issuer', authority: true, keyUsage: 0x04 }),
  makeCertificate({ commonName: 'above', authority: true, key: makeKey('rsa2048') }),
].join('');
const { blocks } = readPem(chain);

t.test('a chain with any bytes of it changed is verified, or refused with words', async (t) => {
  const change = fc.record({
    block: fc.nat(blocks.length - 1),
    // Anywhere alike: where signatures are, too.
    at: fc.noBias(fc.nat(9999)).map((place) => place / 9999),
    value: fc.nat(255),
    cut: fc.constantFrom(0, 0, 0, 1, 7),
  });
  let verified = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 2 }), (changes) => {
      const changed = blocks.map((block) => ({ ...block, bytes: Buffer.from(block.bytes) }));
      for (const { block, at, value, cut } of changes) {
        const one = changed[block];
        if (!one) continue;
        const place = Math.floor(at * (one.bytes.length - 1));
        one.bytes[place] = value;
        one.bytes = Buffer.concat([one.bytes.subarray(0, place), one.bytes.subarray(place + cut)]);
      }
      const pem = changed.map(formatPem).join('');
      const root = relist(key, 'ecdsa-x509', Buffer.from(pem).toString('base64'));
      try {
        verifyBuilt(buildRepository({ keys: { root: [root] } }));
        verified += 1;
      } catch (error) {
        if (!(error instanceof SigningError)) throw error;
        if (!/^(?:METADATA|ROOT)_/.test(error.code)) throw error;
      }
    }),
    runs(1000),
  );
  t.ok(verified > 10, `${verified} were verified: signatures above the leaf are nobody's business`);
});
