import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { parseTagReference } from '../../../../src/shared/image-reference.ts';
import { registryRepository } from '../../../../src/sidecar/auth/registry-host.ts';
import {
  byCloseness,
  matchesRepository,
  parseRegistryPattern,
} from '../../../../src/sidecar/auth/registry-pattern.ts';
import { runs } from '../../../support/runs.ts';

const repositoryOf = (image: string) => registryRepository(parseTagReference(image).gun);

/** Whether an entry with this key is for an image. */
function isFor(key: string, image: string): boolean {
  const pattern = parseRegistryPattern(key);
  return pattern !== undefined && matchesRepository(pattern, repositoryOf(image));
}

t.test('an entry of a docker configuration', async (t) => {
  t.test('is for its host, and for what lies at or below its path', async (t) => {
    for (const [key, image] of [
      ['h.test', 'h.test/team-a/app'],
      ['H.test:443', 'h.test/app'],
      ['https://h.test', 'h.test/app'],
      ['http://h.test:5000', 'h.test:5000/app'],
      ['https://h.test/v2/', 'h.test/app'],
      ['h.test/v1', 'h.test/app'],
      ['https://h.test/v2/team-a', 'h.test/team-a/app'],
      ['h.test/team-a', 'h.test/team-a/app'],
      ['h.test/team-a/', 'h.test/team-a/app'],
      ['h.test/team-a/app', 'h.test/team-a/app:1'],
      ['https://index.docker.io/v1/', 'alpine'],
      ['docker.io/library', 'alpine'],
      ['[::1]:5000', '[::1]:5000/app'],
    ] as const) {
      t.ok(isFor(key, image), `${key} for ${image}`);
    }
    for (const [key, image] of [
      ['h.test:80', 'h.test/app'],
      ['http://h.test:80', 'h.test/app'],
      ['h.test:5000', 'h.test/app'],
      ['h.test', 'h.test:5000/app'],
      ['h.test', 'a.h.test/app'],
      ['h.test/team-a', 'h.test/team-b/app'],
      ['h.test/team', 'h.test/team-a/app'],
      ['h.test/team-a/app', 'h.test/team-a'],
      ['h.test/Team-a', 'h.test/team-a/app'],
      ['', 'h.test/app'],
      ['/', 'h.test/app'],
      ['no host', 'h.test/app'],
    ] as const) {
      t.notOk(isFor(key, image), `${key} not for ${image}`);
    }
  });

  t.test('may leave labels of its host open, as the kubelet reads it', async (t) => {
    for (const [key, image] of [
      ['*.example.test', 'r.example.test/app'],
      ['*.example.test:5000', 'r.example.test:5000/app'],
      ['r*.example.test', 'r1.example.test/app'],
      ['*.*.test', 'a.b.test/app'],
      ['r-*-eu.example.test', 'r-1-eu.example.test/app'],
      ['https://*.example.test/team-a', 'r.example.test/team-a/app'],
      ['*.docker.io', 'my.docker.io/app'],
    ] as const) {
      t.ok(isFor(key, image), `${key} for ${image}`);
    }
    for (const [key, image] of [
      ['*.example.test', 'example.test/app'],
      ['*.example.test', 'a.b.example.test/app'],
      ['*.example.test', 'r.example.test:5000/app'],
      ['*.example.test:5000', 'r.example.test/app'],
      ['*', 'r.example.test/app'],
      ['*.test', 'r.example.test/app'],
      ['r*.example.test', 'a.example.test/app'],
      ['*-eu.example.test', 'r-us.example.test/app'],
      ['*.example.test/team-a', 'r.example.test/team-b/app'],
      ['*.example.*', 'r.other.test/app'],
    ] as const) {
      t.notOk(isFor(key, image), `${key} not for ${image}`);
    }
  });

  t.test('that is closer to the repository comes before the others', async (t) => {
    const keys = ['*.h.test', 'h.test', '*.test/a/b/c', 'h.test/a', 'r*.h.test', 'h.test/a/b'];
    const patterns = keys.flatMap((key) => parseRegistryPattern(key) ?? []);
    t.same(
      patterns.sort(byCloseness).map(({ host, path }) => (path ? `${host}/${path}` : host)),
      ['h.test/a/b', 'h.test/a', 'h.test', '*.test/a/b/c', 'r*.h.test', '*.h.test'],
    );
  });

  t.test('is matched as a regular expression would, in no time', async (t) => {
    const label = fc.string({ unit: fc.constantFrom('a', 'b', '*'), minLength: 1, maxLength: 6 });
    const host = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(label, host, (label, host) => {
        const expression = new RegExp(`^${label.replaceAll('*', '.*')}$`);
        assert.equal(isFor(`${label}.test`, `${host}.test/app`), expression.test(host));
      }),
      runs(3000),
    );
    const start = performance.now();
    t.notOk(isFor(`${'*a'.repeat(900)}b.test`, `${'a'.repeat(200)}.test/app`));
    t.ok(performance.now() - start < 10_000);
  });

  t.test('of any text is read, or is for nothing', async () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        isFor(text, 'h.test/app');
      }),
      runs(2000),
    );
  });
});
