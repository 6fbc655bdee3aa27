import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../src/shared/signing-error.ts';
import { emitEdited, emitFile, emitTargets } from '../../src/sidecar/tuf/emit.ts';
import { TARGETS, type FileMeta, type Targets } from '../../src/sidecar/tuf/metadata.ts';
import { parseTargets } from '../../src/sidecar/tuf/parse.ts';
import { LARGEST_PARSED, scanFile } from '../../src/sidecar/tuf/targets-text.ts';
import { finish, type Work } from '../../src/sidecar/tuf/work.ts';
import { anyJson, anyText } from '../unit/sidecar/support/trust/arbitrary.ts';

const base64 = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString('base64'));
const anyTag = fc.oneof(
  fc.stringMatching(/^[a-z][-a-z0-9_.]{0,8}$/),
  anyText,
  fc.constantFrom('__proto__', 'a"b\\', '\\\\', '10', '9', 'é', '\uff21', '\u{10000}', 'x'),
);
const plainMeta: fc.Arbitrary<FileMeta> = fc
  .tuple(fc.nat(), base64, fc.option(base64, { nil: undefined }))
  .map(([length, sha256, sha512]) => ({
    length,
    hashes: new Map([['sha256', sha256], ...(sha512 === undefined ? [] : [['sha512', sha512]])] as [
      string,
      string,
    ][]),
  }));
const customMeta: fc.Arbitrary<FileMeta> = fc
  .tuple(plainMeta, anyJson, fc.nat(3))
  .map(([meta, custom, long]) =>
    custom === null
      ? meta
      : { ...meta, custom: long === 0 ? [custom, '"]}{['.repeat(20_000)] : custom },
  );
const anyTargets = fc.array(fc.tuple(anyTag, fc.oneof(plainMeta, customMeta)), { maxLength: 12 });

function targetsOf(entries: readonly (readonly [string, FileMeta])[], version = 1): Targets {
  const expires = '2030-01-02T03:04:05Z';
  return {
    delegations: { keys: new Map(), roles: [] },
    expires,
    targets: new Map(entries),
    version,
  };
}

function textOf(targets: Targets): string {
  return emitTargets(targets).text;
}

/** Many plain entries: more than one window of text. */
const MANY = Array.from({ length: 3_000 }, (_, i): [string, FileMeta] => [
  `tag-${String(i).padStart(6, '0')}`,
  { length: i, hashes: new Map([['sha256', Buffer.alloc(32, i).toString('base64')]]) },
]);

/** How many steps work has, and its result. */
function counted<Result>(work: Work<Result>): { steps: number; result: Result } {
  for (let steps = 0; ; steps++) {
    const step = work.next();
    if (step.done === true) return { steps, result: step.value };
  }
}

t.test('a file of targets', async (t) => {
  t.test('is read entry by entry as it is read at once', async (t) => {
    let scanned = 0;
    fc.assert(
      fc.property(anyTargets, fc.boolean(), (entries, isMany) => {
        const content = targetsOf(isMany ? [...MANY, ...entries] : entries);
        const bytes = emitFile(textOf(content), []);
        const tags: string[] = [];
        const text = finish(
          scanFile(bytes, ({ key }) => tags.push(Buffer.from(key, 'latin1').toString())),
        );
        // Where it is not scanned, it is parsed: the result is the same.
        const file = finish(parseTargets(TARGETS, bytes));
        assert.deepEqual(file.content, content);
        assert.equal(Buffer.from(file.signed ?? '').toString(), textOf(content));
        if (!text) return;
        scanned += 1;
        assert.deepEqual(new Set(tags), new Set(content.targets.keys()));
        assert.equal(tags.length, content.targets.size);
      }),
      { numRuns: 300 },
    );
    t.ok(scanned > 100, `${scanned} were scanned`);
  });

  t.test('keeps the targets of the tags that are asked for, and checks the others', async (t) => {
    const bytes = emitFile(Buffer.from(textOf(targetsOf(MANY))), []);
    const { content } = finish(parseTargets(TARGETS, bytes, new Set(['tag-000007', 'none'])));
    t.same([...content.targets.keys()], ['tag-000007']);
    const bad = Buffer.from(Buffer.from(bytes).toString().replace('"length":9}', '"length":"9"}'));
    t.throws(() => finish(parseTargets(TARGETS, bad, new Set(['tag-000007']))), {
      code: 'METADATA_INVALID',
      message: /targets\["tag-000009"\]\.length/,
    });
  });

  t.test('in other form is no other file, up to a size', async (t) => {
    const written = Buffer.from(emitFile(Buffer.from(textOf(targetsOf(MANY))), [])).toString();
    for (const [what, text] of Object.entries({
      pretty: JSON.stringify(JSON.parse(written), undefined, 1),
      'with a line break': `${written}\n`,
      'with a character escaped': written.replace('tag-000001', '\\u0074ag-000001'),
    })) {
      const file = finish(parseTargets(TARGETS, Buffer.from(text)));
      t.equal(file.content.targets.size, MANY.length, what);
      t.equal(Buffer.from(file.signed ?? '').toString(), textOf(targetsOf(MANY)), what);
      const padded = Buffer.from(text.replace('{', `{${' '.repeat(LARGEST_PARSED)}`));
      t.throws(() => finish(parseTargets(TARGETS, padded)), { code: 'METADATA_TOO_LARGE' }, what);
    }
  });

  t.test('whose entries stand twice, or in another order, is not taken as canonical', async (t) => {
    const [one, two] = MANY;
    if (!one || !two) throw new Error('there are many');
    const entry = ([tag, meta]: [string, FileMeta]) => {
      const text = textOf(targetsOf([[tag, meta]]));
      return text.slice(text.indexOf('"targets":{') + 11, text.lastIndexOf('},"version"'));
    };
    for (const entries of [
      [two, one],
      [one, one],
    ] as const) {
      const signed = textOf(targetsOf([])).replace(
        '"targets":{',
        `"targets":{${entries.map(entry).join(',')}`,
      );
      const bytes = emitFile(Buffer.from(signed), []);
      t.equal(finish(scanFile(bytes, () => undefined)), undefined);
      t.not(Buffer.from(finish(parseTargets(TARGETS, bytes)).signed ?? '').toString(), signed);
    }
  });

  t.test('that is cut or changed anywhere is refused, or what it says', async () => {
    const bytes = Buffer.from(
      emitFile(
        Buffer.from(
          textOf(
            targetsOf([
              ...MANY.slice(0, 5),
              ['a"b', { length: 1, hashes: new Map(), custom: { x: ['y'] } }],
            ]),
          ),
        ),
        [],
      ),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, isCut) => {
        const damaged = isCut ? bytes.subarray(0, at) : Buffer.from(bytes);
        if (!isCut) damaged[at] = byte;
        try {
          const file = finish(parseTargets(TARGETS, damaged));
          const { signed } = JSON.parse(damaged.toString()) as { signed: unknown };
          assert.deepEqual(JSON.parse(Buffer.from(file.signed ?? '').toString()), signed);
        } catch (error) {
          assert(error instanceof SigningError, String(error));
          assert.equal(error.code, 'METADATA_INVALID');
        }
      }),
      { numRuns: 3000 },
    );
  });

  t.test('is edited without being read at once, to the same bytes', async () => {
    fc.assert(
      fc.property(anyTargets, anyTargets, fc.boolean(), (before, additions, isMany) => {
        const old = targetsOf(isMany ? [...MANY, ...before] : before);
        const edit = targetsOf(additions, 2);
        const emitted = finish(emitEdited(Buffer.from(textOf(old)), edit));
        const whole = textOf(targetsOf([...old.targets, ...edit.targets], 2));
        // What holds control characters cannot be read again by anybody.
        if (emitted) assert.equal(Buffer.from(emitted).toString(), whole);
        else assert.match(textOf(old), /\p{Cc}/u);
      }),
      { numRuns: 300 },
    );
  });

  t.test('loses what Go would not write again', async (t) => {
    const old = textOf(targetsOf(MANY.slice(0, 3))).replace('"hashes"', '"custom":null,"hashes"');
    const emitted = finish(emitEdited(Buffer.from(old), targetsOf([], 2)));
    t.equal(Buffer.from(emitted ?? '').toString(), textOf(targetsOf(MANY.slice(0, 3), 2)));
  });

  t.test('of a hundred thousand tags is read in short steps', async (t) => {
    const entries = Array.from({ length: 34 }, (_, block) =>
      MANY.map(([tag, meta]): [string, FileMeta] => [
        `${String(block).padStart(2, '0')}${tag}`,
        meta,
      ]),
    ).flat();
    const bytes = emitFile(Buffer.from(textOf(targetsOf(entries))), []);
    const { steps, result } = counted(parseTargets(TARGETS, bytes, new Set(['00tag-000001'])));
    t.equal(result.content.targets.size, 1);
    t.ok(steps > bytes.length / 100_000, `${steps} steps for ${bytes.length} bytes`);
  });
});
