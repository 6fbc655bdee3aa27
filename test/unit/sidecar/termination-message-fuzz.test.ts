import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SIGNER_ERRORS, type SignerErrorCode } from '../../../src/shared/error-code.ts';
import type { Gun } from '../../../src/shared/image-reference.ts';
import type { NotaryUrl } from '../../../src/shared/notary-url.ts';
import { command, commandsIn } from '../../../src/shared/shell-command.ts';
import type { RoleName } from '../../../src/sidecar/tuf/metadata.ts';
import { SigningError } from '../../../src/shared/signing-error.ts';
import {
  failedReceipt,
  failureOf,
  receiptOf,
  type Receipt,
  type RepositoryReceipt,
  type V2Receipt,
} from '../../../src/shared/receipt.ts';
import { terminationMessage } from '../../../src/sidecar/termination-message.ts';
import { runs } from '../../support/runs.ts';

/** What servers, files and people may say. */
const words = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 2500 }),
  fc.string({ unit: 'grapheme', maxLength: 400 }),
  fc
    .tuple(
      fc.constantFrom('"', '\\', '\u001b', '\n', 'é', '\u{1f600}', '\u2028', '\ud800'),
      fc.nat(2500),
    )
    .map(([unit, count]) => unit.repeat(count)),
);
const codes = fc.constantFrom(...(Object.keys(SIGNER_ERRORS) as SignerErrorCode[]));
const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const error = fc
  .tuple(codes, words, fc.option(words))
  .map(([code, message, fix]) => new SigningError(code, message, fix === null ? {} : { fix }));

const day = fc
  .integer({ min: 0, max: 5000 })
  .map((days) => new Date(days * 86_400_000).toISOString());
const v2: fc.Arbitrary<V2Receipt> = fc
  .record({
    result: fc.constantFrom('signed', 'already-signed', 'failed' as const),
    digest: hex.map((digest) => `sha256:${digest}`),
    listed: fc.constantFrom('api', 'tag' as const),
    thumbprint: hex,
    notAfter: day,
    timestamp: fc.record({ time: day, notAfter: day }),
    count: fc.nat(100),
    error,
  })
  .map(({ error, result, ...rest }) =>
    result === 'failed' ? { result, ...failureOf(error) } : { result, ...rest },
  );

const repository: fc.Arbitrary<RepositoryReceipt> = fc
  .record({
    gun: fc.stringMatching(/^[a-z0-9.:/_-]{1,255}$/),
    server: fc.stringMatching(/^https:\/\/[a-z0-9./%-]{1,2040}$/),
    result: fc.constantFrom('signed', 'already-signed', 'dry-run', 'failed' as const),
    roles: fc.array(
      fc.record({
        name: fc.stringMatching(/^targets(\/[-a-z0-9_]{1,200})?$/),
        version: fc.nat(),
        expires: day,
        keyId: hex,
      }),
      { maxLength: 12 },
    ),
    rootKeyIds: fc.array(hex, { maxLength: 12 }),
    targets: fc.array(
      fc.record({ tag: fc.stringMatching(/^\w[\w.-]{0,127}$/), sha256: hex, length: fc.nat() }),
      { maxLength: 30 },
    ),
    attempts: fc.nat(20),
    missedBy: fc.array(
      fc.record({
        reader: fc.constantFrom('docker pull', 'Connaisseur' as const),
        tag: fc.stringMatching(/^\w[\w.-]{0,127}$/),
        sees: fc.constantFrom('none', 'another', 'both' as const),
        role: fc.constantFrom('targets', 'targets/releases').map((name) => name as RoleName),
      }),
      { maxLength: 30 },
    ),
    root: fc.record({ version: fc.nat(), expires: day }),
    signatures: fc.constantFrom('v1', 'v2', 'both'),
    v2,
    error,
  })
  .map(({ error, gun, server, result, signatures, v2, ...v1 }) => ({
    gun: gun as Gun,
    result,
    ...(signatures !== 'v2' && { ...v1, server: server as NotaryUrl }),
    ...(signatures !== 'v1' && { v2 }),
    ...(result === 'failed' && failureOf(error)),
  }));

const source = fc.constantFrom('report' as const, 'registry' as const);
const receipt: fc.Arbitrary<Receipt> = fc.oneof(
  fc.tuple(source, error).map(([from, error]) => failedReceipt(from, error)),
  fc
    .tuple(source, fc.array(repository, { minLength: 1, maxLength: 12 }))
    .map(([from, repositories]) => receiptOf(from, repositories)),
);

/** How many entries a repository has, or had before some were left out. */
function entries(repository: Partial<RepositoryReceipt> & { readonly omitted?: number } = {}) {
  const { targets = [], missedBy = [], omitted = 0 } = repository;
  return targets.length + missedBy.length + omitted;
}

const ENDS = ['root', 'targets', 'delegation', 'certificate', 'tsa'] as const;
type Ends = Partial<Record<(typeof ENDS)[number], string | undefined>>;
type Told = Receipt & { readonly omitted?: number; readonly ends?: Ends };

/** The earliest end of each kind. */
function endsIn({ repositories }: Receipt): Ends {
  const roles = repositories.flatMap(({ roles = [] }) => roles);
  const earliest = (ends: readonly (string | undefined)[]) =>
    ends.filter((end) => end !== undefined).sort()[0];
  return {
    root: earliest(repositories.map(({ root }) => root?.expires)),
    targets: earliest(roles.filter(({ name }) => name === 'targets').map((role) => role.expires)),
    delegation: earliest(
      roles.filter(({ name }) => name !== 'targets').map((role) => role.expires),
    ),
    certificate: earliest(repositories.map(({ v2 }) => v2?.notAfter)),
    tsa: earliest(repositories.map(({ v2 }) => v2?.timestamp?.notAfter)),
  };
}

t.test('the termination message of any receipt', async (t) => {
  t.test('fits, and says what came out', async () => {
    fc.assert(
      fc.property(receipt, (receipt) => {
        const text = terminationMessage(receipt, false);
        assert.ok(Buffer.byteLength(text) <= 1024, `${Buffer.byteLength(text)} bytes`);
        const told = JSON.parse(text) as Told;
        assert.deepEqual(
          [told.v, told.result, told.source, told.code],
          [1, receipt.result, receipt.source, receipt.code],
        );
        assert.equal(told.repositories.length + (told.omitted ?? 0), receipt.repositories.length);
        for (const [i, { gun, result, code }] of told.repositories.entries()) {
          const whole = receipt.repositories[i];
          if (whole) assert.equal(entries(told.repositories[i]), entries(whole));
          assert.deepEqual([gun, result, code], [whole?.gun, whole?.result, whole?.code]);
          assert.equal(told.repositories[i]?.v2?.result, whole?.v2?.result);
        }
        const [kept, all] = [endsIn(told), endsIn(receipt)];
        for (const kind of ENDS) assert.equal(told.ends?.[kind] ?? kept[kind], all[kind], kind);
      }),
      runs(400),
    );
  });

  t.test('that fails a build is one sentence of people, in one line', async () => {
    fc.assert(
      fc.property(receipt, (receipt) => {
        const text = terminationMessage(receipt, true);
        assert.ok(Buffer.byteLength(text) <= 1024, `${Buffer.byteLength(text)} bytes`);
        assert.ok(text.startsWith(`notary-sign failed (${receipt.code ?? 'INTERNAL'}): `));
        assert.doesNotMatch(text, /[\p{Cc}\u2028\u2029]/u);
      }),
      runs(400),
    );
  });
});

t.test('a command in the fix is kept whole before the message is, or left out', async () => {
  const url = fc.stringMatching(/^https:\/\/[a-z&';.]{1,600}$/);
  fc.assert(
    fc.property(url, fc.stringMatching(/^[a-z ]{1,1500}$/), (url, why) => {
      const fix = `Do this: ${command`notary -s ${url} delete x --remote && notary -s ${url} init x`}, then build again.`;
      const error = new SigningError('METADATA_EXPIRED', why, { fix });
      const text = terminationMessage(failedReceipt('report', error), true);
      const kept = commandsIn(text);
      assert.deepEqual(kept, kept.length > 0 ? commandsIn(fix) : []);
      if (Buffer.byteLength(fix) < 650) assert.ok(text.endsWith(fix), text);
    }),
    runs(400),
  );
});
