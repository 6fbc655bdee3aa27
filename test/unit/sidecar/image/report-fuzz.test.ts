import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { SigningError } from '../../../../src/shared/signing-error.ts';
import { parseReport } from '../../../../src/sidecar/image/report.ts';
import { reportToml } from '../../../support/signer-run.ts';
import { runs } from '../../../support/runs.ts';

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
// TOML has no lone surrogates, and JSON strings are TOML strings but for DEL.
const text = fc.string({ unit: 'grapheme' }).map((value) => value.replaceAll('\u007f', ''));

/** What the parser says to a text. */
function parse(toml: string) {
  try {
    return parseReport(toml);
  } catch (error) {
    assert(error instanceof SigningError, String(error));
    assert.equal(error.code, 'REPORT_INVALID');
    return undefined;
  }
}

t.test('report.toml', async (t) => {
  t.test('comes back as it was written', async () => {
    const size = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.array(text), hex, size, (tags, sha256, length) => {
        assert.deepEqual(parse(reportToml(tags, sha256, length)), {
          tags,
          sha256,
          length,
        });
      }),
      runs(1000),
    );
  });

  t.test('of any bytes is read, or refused as ours', async () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (toml) => {
        parse(toml);
        parse(`[image]\n${toml}`);
      }),
      runs(2000),
    );
  });

  t.test('that was damaged holds nothing but what a report can hold, or is refused', async () => {
    const report = reportToml(['h.test/a:1', 'h.test/b:2'], 'a1'.repeat(32), 528);
    const damage = fc.record({
      at: fc.nat(report.length),
      cut: fc.nat(20),
      put: fc.oneof(
        fc.string({ unit: 'binary', maxLength: 5 }),
        fc.constantFrom('"', "'", '[', ']', '\n', '#', '=', '{', '}', '.', '1e9', 'nan', '"""'),
      ),
    });
    fc.assert(
      fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (damages) => {
        let toml = report;
        for (const { at, cut, put } of damages)
          toml = toml.slice(0, at) + put + toml.slice(at + cut);
        const read = parse(toml);
        if (!read) return;
        assert(read.tags.every((tag) => typeof tag === 'string'));
        assert.match(read.sha256, /^[0-9a-f]{64}$/);
        assert(read.length === undefined || Number.isSafeInteger(read.length));
        assert((read.length ?? 1) > 0);
      }),
      runs(3000),
    );
  });

  t.test('that is hostile is read in no time', async (t) => {
    const start = performance.now();
    const parts = ['[', '{a=', '"', 'a.', '[[a]]\n', '[a.b]\n', 'a=[', "'''", '\\', '1_'];
    for (const part of parts) {
      parse(part.repeat(20_000));
      parse(`[image]\ntags = ${part.repeat(20_000)}`);
    }
    t.ok(performance.now() - start < 20_000);
  });
});
