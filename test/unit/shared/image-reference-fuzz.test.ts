import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  formatTagReference,
  parseTagReference,
  sameTag,
} from '../../../src/shared/image-reference.ts';
import { SigningError } from '../../../src/shared/signing-error.ts';
import { runs } from '../../support/runs.ts';

/** Pieces that references are made of, so that many of the texts nearly are some. */
const piece = fc.oneof(
  fc.constantFrom(
    ...['docker.io', 'index.docker.io', 'localhost', 'h.test', '127.0.0.1', '[::1]', 'library'],
    ...['a', 'team', 'App', 'latest', '5000', '/', ':', '.', '-', '_', '__', '@', 'sha256', ' '],
  ),
  fc.string({ maxLength: 3 }),
);
const nearly = fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join(''));
const component = fc.stringMatching(/^[a-z0-9]+(?:[._-][a-z0-9]+)?$/, { maxLength: 12 });
const valid = fc
  .record({
    host: fc.constantFrom('', 'docker.io/', 'h.test/', 'h.test:5000/', 'localhost/', '[::1]:5/'),
    path: fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
    tag: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,10}$/),
  })
  .map(({ host, path, tag }) => `${host}${path}:${tag}`);

/** What the parser says to a text: a reference that obeys the laws, or an error of ours. */
function parse(text: string) {
  try {
    const reference = parseTagReference(text);
    const written = formatTagReference(reference);
    const again = parseTagReference(written);
    assert.deepEqual(again, reference, 'what is written is read as the same');
    assert.equal(formatTagReference(again), written);
    assert(sameTag(reference, again));
    assert.match(reference.gun, /^[^/]+\/[^/].*[^/]$|^[^/]+\/[^/]$/, 'a host and a name');
    return reference;
  } catch (error) {
    assert(error instanceof SigningError, String(error));
    assert.equal(error.code, 'IMAGE_REFERENCE_INVALID');
    return undefined;
  }
}

t.test('image references', async (t) => {
  t.test('of any text are read as what they are written as, or refused as ours', async () => {
    const text = fc.oneof(nearly, fc.string({ unit: 'binary' }), valid);
    fc.assert(
      fc.property(text, (text) => {
        parse(text);
      }),
      runs(5000),
    );
  });

  t.test('that are valid are read', async () => {
    fc.assert(
      fc.property(valid, (text) => {
        assert.equal(parse(text)?.tag, text.slice(text.lastIndexOf(':') + 1));
      }),
      runs(2000),
    );
  });

  t.test('that are long do not hang', async (t) => {
    const start = performance.now();
    fc.assert(
      fc.property(nearly, fc.constantFrom('', '!', '/', ':x'), (part, end) => {
        parse(part.repeat(2000) + end);
        parse(`h.test/${part.repeat(2000)}${end}`);
      }),
      { numRuns: 200 },
    );
    t.ok(performance.now() - start < 20_000);
  });
});
