import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { emitFile, emitTargets } from '../../../../src/sidecar/tuf/emit.ts';
import {
  ROOT,
  SNAPSHOT,
  TARGETS,
  TIMESTAMP,
  type MetadataFile,
} from '../../../../src/sidecar/tuf/metadata.ts';
import {
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from '../../../../src/sidecar/tuf/parse.ts';
import { finish } from '../../../../src/sidecar/tuf/work.ts';
import { fixture } from '../../../support/fixture.ts';
import { anyDamage } from '../support/trust/damage.ts';
import { goWire, type DraftObject } from '../../../support/trust/draft.ts';
import { signedText } from '../support/trust/verification.ts';
import { runs } from '../../../support/runs.ts';

/** What all metadata have. */
type Common = MetadataFile<{ readonly version: number; readonly expires: string }>;

const PARSERS: readonly (readonly [role: string, parse: (bytes: Uint8Array) => Common])[] = [
  ['root', (bytes: Uint8Array) => parseRoot(ROOT, bytes)],
  ['snapshot', (bytes: Uint8Array) => parseSnapshot(SNAPSHOT, bytes)],
  ['timestamp', (bytes: Uint8Array) => parseTimestamp(TIMESTAMP, bytes)],
  ['targets', (bytes: Uint8Array) => finish(parseTargets(TARGETS, bytes))],
  ['targets/releases', (bytes: Uint8Array) => finish(parseTargets(TARGETS, bytes))],
];

/** What a parser makes of bytes; undefined when it refuses them as it must. */
function parsed<Parsed>(parse: (bytes: Uint8Array) => Parsed, bytes: Uint8Array) {
  try {
    return parse(bytes);
  } catch (error) {
    assert(error instanceof SigningError, String(error));
    assert.equal(error.code, 'METADATA_INVALID');
    assert.ok(error.message.length > 10 && error.fix);
    return undefined;
  }
}

/** Numbers as Go verifies them. */
function asGo(_: string, value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return Math.abs(value) < 2 ** 63 ? value : -(2 ** 63);
}

t.test('metadata', async (t) => {
  t.test('of any bytes, or any JSON, is read, or refused as ours', async () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .tuple(fc.jsonValue(), fc.jsonValue())
        .map(([signed, signatures]) => Buffer.from(JSON.stringify({ signed, signatures }))),
    );
    fc.assert(
      fc.property(content, (bytes) => {
        for (const [, parse] of PARSERS) parsed(parse, bytes);
      }),
      runs(1000),
    );
  });

  for (const [role, parse] of PARSERS) {
    t.test(`of ${role} that was damaged is what it says, or refused as ours`, async (t) => {
      const good = fixture(`notary/repo/${role}.json`);
      let read = 0;
      fc.assert(
        fc.property(fc.array(anyDamage, { minLength: 1, maxLength: 3 }), (damages) => {
          const bytes = damages.reduce<Uint8Array>((file, damage) => damage(file), good);
          const file = parsed(parse, bytes);
          // Canonical JSON has control characters as they are, and JSON has not.
          if (!file || /\p{Cc}/u.test(signedText(file))) return;
          read += 1;
          const { version, expires } = file.content;
          assert.ok(Number.isInteger(version) && version >= 1);
          assert.ok(Date.parse(expires) > 0 || Date.parse(expires) <= 0);
          // What is signed is all of `signed`, known to us or not.
          const { signed } = JSON.parse(Buffer.from(bytes).toString(), asGo) as DraftObject;
          assert.deepEqual(JSON.parse(signedText(file)), signed);
        }),
        runs(1500),
      );
      t.ok(read > 30, `${read} were read`);
    });
  }

  t.test('of targets that holds nothing unknown comes out as Go would write it', async (t) => {
    const good = fixture('notary/repo/targets.json');
    let known = 0;
    fc.assert(
      fc.property(fc.array(anyDamage, { minLength: 1, maxLength: 3 }), (damages) => {
        const bytes = damages.reduce<Uint8Array>((file, damage) => damage(file), good);
        const file = parsed((each) => finish(parseTargets(TARGETS, each)), bytes);
        if (!file || file.unknownMembers.length > 0) return;
        known += 1;
        if (/\p{Cc}/u.test(signedText(file))) return;
        const emitted = emitFile(emitTargets(file.content).text, file.signatures);
        const again = finish(parseTargets(TARGETS, emitted));
        assert.deepEqual(again.content, file.content);
        assert.deepEqual(again.signatures, file.signatures);
        assert.equal(signedText(again), emitTargets(again.content).signedText);
      }),
      runs(1500),
    );
    t.ok(known > 3, `${known} were known in full`);
  });

  t.test('is read again as it was written, whatever the server wrote', async (t) => {
    for (const [role, parse] of PARSERS) {
      const good = fixture(`notary/repo/${role}.json`);
      const file = JSON.parse(good.toString()) as DraftObject;
      t.equal(goWire(file), good.toString(), role);
      const { signed, signatures } = parse(good);
      t.equal(Buffer.from(emitFile(signed ?? good, signatures)).toString(), good.toString(), role);
    }
  });

  t.test('that is hostile is judged in no time', async (t) => {
    const start = performance.now();
    const parts = ['[', '{"a":', '{"signed":', '"', '\\u', '1', '-', '[[', ',', '\ud800'];
    for (const part of parts) {
      for (const [, parse] of PARSERS) {
        parsed(parse, Buffer.from(part.repeat(50_000)));
        parsed(parse, Buffer.from(`{"signed":{"_type":"Targets","x":${part.repeat(50_000)}`));
        const nested = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
        parsed(parse, Buffer.from(`{"signed":{"x":${nested}},"signatures":[]}`));
      }
    }
    t.ok(performance.now() - start < 20_000);
  });
});
