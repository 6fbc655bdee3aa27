import assert from 'node:assert/strict';
import t from 'tap';
import { planSigning, readTags } from '../../../../src/sidecar/image/signing-plan.ts';

const HEX = 'a1'.repeat(32);

t.test('the signing plan', async (t) => {
  const plan = (tags: readonly string[], allowed: readonly string[] = []) =>
    planSigning(readTags(tags, allowed), { sha256: HEX, length: 528 }).map(({ gun, targets }) => {
      for (const { sha256, length } of targets) assert.deepEqual([sha256, length], [HEX, 528]);
      return `${gun} ${targets.map(({ tag }) => tag).join(' ')}`;
    });

  t.test('groups tags by repository, each once, in the order of the report', async (t) => {
    t.same(plan(['h.test/b:2', 'h.test/a:1', 'h.test/b:1']), ['h.test/b 2 1', 'h.test/a 1']);
    t.same(plan(['h.test/a:1', 'h.test/a:1', 'h.test/a:2']), ['h.test/a 1 2']);
    t.same(plan(['app', 'app:latest', 'docker.io/library/app', 'index.docker.io/app:v1']), [
      'docker.io/library/app latest v1',
    ]);
    t.same(plan(['h.test/a:1', 'h.test:443/a:1', 'H.test/a:1']), [
      'h.test/a 1',
      'h.test:443/a 1',
      'H.test/a 1',
    ]);
  });

  t.test('takes no tag but those of the Build', async (t) => {
    t.same(plan(['h.test/a:1'], ['h.test/a:1', 'h.test/a:2']), ['h.test/a 1']);
    t.same(plan(['app'], ['docker.io/library/app:latest']), ['docker.io/library/app latest']);
    t.same(plan(['index.docker.io/library/app:latest'], ['app']), ['docker.io/library/app latest']);
    const cases: readonly (readonly [tags: string[], allowed: string[], message: string])[] = [
      [
        ['h.test/a:1', 'h.test/a:2', 'h.test/b:1'],
        ['h.test/a:1'],
        'asked to sign h.test/a:2, h.test/b:1; the Build has h.test/a:1',
      ],
      [['h.test/a'], ['h.test/a:1'], 'asked to sign h.test/a:latest; the Build has h.test/a:1'],
      [
        ['app'],
        ['h.test/app', 'x/app'],
        'asked to sign docker.io/library/app:latest; the Build has h.test/app:latest, docker.io/x/app:latest',
      ],
    ];
    for (const [tags, allowed, message] of cases) {
      t.throws(() => plan(tags, allowed), { code: 'TAG_NOT_ALLOWED', message });
    }
    t.throws(() => plan([]), { code: 'REPORT_WITHOUT_TAGS', message: /no image.tags$/ });
    t.throws(() => plan(['h.test/A:1']), { code: 'IMAGE_REFERENCE_INVALID' });
    t.throws(() => plan(['h.test/a:1'], ['h.test/A:1']), { code: 'IMAGE_REFERENCE_INVALID' });
    t.throws(() => plan([`h.test/a:1@sha256:${HEX}`]), { code: 'IMAGE_REFERENCE_INVALID' });
  });
});
