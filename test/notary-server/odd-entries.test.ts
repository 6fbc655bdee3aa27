import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { startBed, type Bed } from '../bed/bed.ts';
import { initRepository, secretOf } from '../bed/notary-repository.ts';
import { call, postRole } from './support/role-post.ts';
import { openKey } from '../support/private-key.ts';
import { reportToml, runSigner } from '../support/signer-run.ts';

t.setTimeout(240_000);

const SHA256 = 'ab'.repeat(32);
const LENGTH = 528;
/** The least of Go's int64, which is what it makes of a double beyond its range. */
const LEAST = '-9223372036854775808';

/** JSON as somebody wrote it, and its canonical form as Go verifies it. */
interface Written {
  readonly raw: string;
  readonly canonical: string;
}

const write = (raw: string, canonical = raw): Written => ({ raw, canonical });
const hashes = `"hashes":{"sha256":"${Buffer.from(SHA256, 'hex').toString('base64')}"}`;
const entryOf = (length: Written, custom?: Written): Written => {
  const text = (form: keyof Written) =>
    `{${custom ? `"custom":${custom[form]},` : ''}${hashes},"length":${length[form]}}`;
  return { raw: text('raw'), canonical: text('canonical') };
};

const ODD: Readonly<Record<string, Written>> = {
  'an integer beyond 2^53 that a double holds': entryOf(write('1'), write('1152921504606846976')),
  'an integer that a double rounds': entryOf(
    write('1'),
    write('{"n":[9007199254740993]}', '{"n":[9007199254740992]}'),
  ),
  'a number beyond int64': entryOf(write('1'), write('1e300', LEAST)),
  'numbers written otherwise': entryOf(write('1'), write('[1e3,1.0,-0]', '[1000,1,0]')),
  'keys in another order': entryOf(write('1'), write('{"b":1,"a":2}', '{"a":2,"b":1}')),
  escapes: entryOf(write('1'), write('"\\u0041\\/\\n\\u003c"', '"A/\n<"')),
  'half of a character': entryOf(write('1'), write('"\\ud800"', '"\ufffd"')),
  'a negative length': entryOf(write('-5')),
  'a length beyond 2^53': entryOf(write('1152921504606846976')),
  'a length that a double rounds': entryOf(write('9007199254740993', '9007199254740992')),
};

interface Setup {
  readonly bed: Bed;
  readonly gun: string;
  readonly secret: Readonly<Record<string, string>>;
  /** Publishes the targets anew, with one more entry in a form of its own. */
  add(tag: string, entry: Written): Promise<void>;
  /** The `signed` part of the targets as the server has it. */
  served(): Promise<string>;
  sign(tag: string): ReturnType<typeof runSigner>;
}

async function makeSetup(bed: Bed, name: string): Promise<Setup> {
  const gun = `registry.example.test/odd/${name}`;
  const owner = await initRepository(bed, gun);
  const secret = await secretOf(bed, owner, gun);
  const [file = ''] = Object.keys(secret).filter((key) => key.endsWith('.key'));
  const pem = await readFile(join(owner.privateKeyDirectory, file), 'utf8');
  const key = openKey(pem, owner.passphrase);
  const entries = new Map<string, Written>();
  const fetch = async () => {
    const text = await call(bed, `${gun}/_trust/tuf/targets.json`);
    const { signed, signatures } = JSON.parse(text) as {
      readonly signed: { readonly version: number };
      readonly signatures: readonly { readonly keyid: string }[];
    };
    return { text, version: signed.version, keyid: signatures[0]?.keyid ?? '' };
  };
  return {
    bed,
    gun,
    secret,
    add: async (tag, entry) => {
      entries.set(tag, entry);
      const { version, keyid } = await fetch();
      const all = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
      const signedText = (form: keyof Written) =>
        `{"_type":"Targets","delegations":{"keys":{},"roles":[]},"expires":"2029-01-01T00:00:00Z",` +
        `"targets":{${all.map(([tag, each]) => `"${tag}":${each[form]}`).join(',')}},"version":${version + 1}}`;
      const sig = Buffer.from(await key.sign(Buffer.from(signedText('canonical')))).toString(
        'base64',
      );
      const signatures = JSON.stringify([{ keyid, method: 'ecdsa', sig }]);
      const file = `{"signed":${signedText('raw')},"signatures":${signatures}}`;
      await postRole(bed, gun, 'targets', file);
    },
    served: async () => (await fetch()).text,
    sign: (tag) =>
      runSigner({
        directory: bed.directory,
        notaryUrl: bed.notary.url,
        secret,
        report: reportToml([`${gun}:${tag}`], SHA256, LENGTH),
      }),
  };
}

t.test('entries that others wrote in a way of their own', async (t) => {
  const bed = await startBed();
  t.teardown(() => bed.stop());
  let tags = 0;

  for (const [what, entry] of Object.entries(ODD)) {
    await t.test(what, async (t) => {
      const tag = `new-${tags++}`;
      const setup = await makeSetup(bed, tag);
      await setup.add('odd', entry);
      const judge = bed.cli('judge');
      t.equal((await judge.run(['list', setup.gun])).code, 0, 'notary reads it');
      const run = await setup.sign(tag);
      t.equal(run.receipt.result, 'signed', run.stdout);
      t.ok((await setup.served()).includes(`"odd":${entry.raw}`), 'it is kept as it was');
      t.same(await judge.lookup(setup.gun, tag), { sha256: SHA256, length: LENGTH });
      t.ok(await judge.run(['lookup', setup.gun, 'odd']), 'and is still found');
      t.match(await bed.docker().trustInspect(`${setup.gun}:${tag}`), [{ tag, sha256: SHA256 }]);
      t.equal((await setup.sign(tag)).receipt.result, 'already-signed');
    });
  }

  await t.test('of any JSON', async (t) => {
    const setup = await makeSetup(bed, 'any');
    const integer = fc.oneof(
      fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
      fc.maxSafeInteger().map(BigInt),
    );
    const text = fc.string({ unit: 'grapheme', maxLength: 5 });
    const anyWritten = fc.letrec<{ json: Written }>((tie) => ({
      json: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(write('null'), write('true'), write('[]'), write('{}')),
        integer.map((n) => write(n.toString(), BigInt(Number(n)).toString())),
        text.map((value) => write(escaped(value), quoted(value))),
        fc.array(tie('json'), { maxLength: 3 }).map((items) => ({
          raw: `[${items.map(({ raw }) => raw).join(',')}]`,
          canonical: `[${items.map(({ canonical }) => canonical).join(',')}]`,
        })),
        fc
          .uniqueArray(fc.tuple(fc.stringMatching(/^[a-z]{1,3}$/), tie('json')), {
            maxLength: 3,
            selector: ([key]) => key,
          })
          .map((members) => ({
            raw: `{${members.map(([key, { raw }]) => `"${key}":${raw}`).join(',')}}`,
            canonical: `{${members
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, { canonical }]) => `"${key}":${canonical}`)
              .join(',')}}`,
          })),
      ),
    })).json;
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(anyWritten, integer, async (custom, length) => {
        // Null is no custom data: Go leaves it out.
        fc.pre(custom.raw !== 'null');
        const tag = `any-${runs++}`;
        const entry = entryOf(write(length.toString(), BigInt(Number(length)).toString()), custom);
        await setup.add('odd', entry);
        const run = await setup.sign(tag);
        assert.equal(run.receipt.result, 'signed', run.stdout);
        assert.ok((await setup.served()).includes(`"odd":${entry.raw}`), entry.raw);
        const found = await bed.cli('judge').lookup(setup.gun, tag);
        assert.deepEqual(found, { sha256: SHA256, length: LENGTH });
      }),
      { numRuns: 10 },
    );
    t.ok(runs > 0);
  });
});

/** A text as its canonical form has it. */
function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/** A text with every character escaped. */
function escaped(text: string): string {
  const units = text.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return `"${units.map((hex) => `\\u${hex}`).join('')}"`;
}
