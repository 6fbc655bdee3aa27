import t from 'tap';
import {
  formatTagReference,
  parseTagReference,
  sameTag,
} from '../../../src/shared/image-reference.ts';
import { SigningError } from '../../../src/shared/signing-error.ts';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

t.test('image references', async (t) => {
  t.test('name repositories as the docker CLI does', async (t) => {
    const cases: readonly (readonly [text: string, gun: string, tag: string])[] = [
      ['alpine:3', 'docker.io/library/alpine', '3'],
      ['alpine', 'docker.io/library/alpine', 'latest'],
      ['team/app:v1', 'docker.io/team/app', 'v1'],
      ['docker.io/alpine:3', 'docker.io/library/alpine', '3'],
      ['docker.io/library/alpine:3', 'docker.io/library/alpine', '3'],
      ['docker.io/team/app', 'docker.io/team/app', 'latest'],
      ['index.docker.io/alpine:3', 'docker.io/library/alpine', '3'],
      ['index.docker.io/team/app:v1', 'docker.io/team/app', 'v1'],
      ['registry-1.docker.io/team/app:v1', 'registry-1.docker.io/team/app', 'v1'],
      ['docker.io:443/team/app', 'docker.io:443/team/app', 'latest'],
      ['my.docker.io/app', 'my.docker.io/app', 'latest'],
      ['registry.example.test/app', 'registry.example.test/app', 'latest'],
      ['registry.example.test/a/b/c:v1.2', 'registry.example.test/a/b/c', 'v1.2'],
      ['registry.example.test:5000/app:v1', 'registry.example.test:5000/app', 'v1'],
      ['registry:5000/app', 'registry:5000/app', 'latest'],
      ['registry/app', 'docker.io/registry/app', 'latest'],
      ['localhost/app:v1', 'localhost/app', 'v1'],
      ['localhost:5000/app', 'localhost:5000/app', 'latest'],
      ['localhost:5000', 'docker.io/library/localhost', '5000'],
      ['127.0.0.1:5000/a/b:v1', '127.0.0.1:5000/a/b', 'v1'],
      ['[::1]:5000/app:v1', '[::1]:5000/app', 'v1'],
      ['[2001:db8::7]/app', '[2001:db8::7]/app', 'latest'],
      ['Registry.Example.test/app', 'Registry.Example.test/app', 'latest'],
      ['REGISTRY/app:v1', 'REGISTRY/app', 'v1'],
      ['a.b/c', 'a.b/c', 'latest'],
      ['app:V1_2.3-rc', 'docker.io/library/app', 'V1_2.3-rc'],
      ['app:_x', 'docker.io/library/app', '_x'],
      [`app:${'x'.repeat(128)}`, 'docker.io/library/app', 'x'.repeat(128)],
      ['h.test/a_b/c__d/e.f/g-h/i---j', 'h.test/a_b/c__d/e.f/g-h/i---j', 'latest'],
      [`h.test/${'x'.repeat(248)}`, `h.test/${'x'.repeat(248)}`, 'latest'],
    ];
    for (const [text, gun, tag] of cases) {
      const reference = parseTagReference(text);
      t.same(reference, { gun, tag }, text);
      t.equal(formatTagReference(reference), `${gun}:${tag}`, text);
      t.same(parseTagReference(formatTagReference(reference)), reference, `${text}, again`);
    }
  });

  t.test('that are none are refused, with the reason', async (t) => {
    const cases: readonly (readonly [text: string, reason: RegExp])[] = [
      ['', /"" is not a repository name/],
      [`h.test/app@${DIGEST}`, /has a digest/],
      [`h.test/app:v1@${DIGEST}`, /has a digest/],
      ['user@h.test/app', /has a digest/],
      ['https://h.test/app:v1', /is not a registry host|is not a repository name/],
      ['h.test/App', /"App" is not a repository name/],
      ['App', /"App" is not a repository name/],
      ['h.test/', /"" is not a repository name/],
      ['h.test/a//b', /is not a repository name/],
      ['/app', /is not a repository name/],
      ['h.test/app/', /is not a repository name/],
      ['h.test/../app', /is not a repository name/],
      ['h.test/.app', /is not a repository name/],
      ['h.test/app-', /is not a repository name/],
      ['h.test/a___b', /is not a repository name/],
      ['h.test/a..b', /is not a repository name/],
      ['h.test/a_-b', /is not a repository name/],
      ['h.test/äpp', /is not a repository name/],
      ['h.test/a b', /is not a repository name/],
      ['h.test/app\n', /is not a repository name/],
      ['h.test/app:', /"" is not a tag/],
      ['app:v1:v2', /"v1:v2" is not a tag/],
      ['app:v1/x', /is not a (tag|registry host)/],
      ['app:-v1', /"-v1" is not a tag/],
      ['app:.v1', /"\.v1" is not a tag/],
      ['app:v+1', /is not a tag/],
      ['app:v1\n', /is not a tag/],
      [`app:${'x'.repeat(129)}`, /is not a tag/],
      ['-h.test/app', /"-h.test" is not a registry host/],
      ['h-.test/app', /is not a registry host/],
      ['h..test/app', /is not a registry host/],
      ['h.test:/app', /is not a registry host/],
      ['h.test:port/app', /is not a registry host/],
      ['h_x.test/app', /is not a registry host/],
      ['[::1/app', /is not a registry host/],
      ['[::g]/app', /is not a registry host/],
      ['::1/app', /is not a registry host/],
      [`h.test/${'x'.repeat(249)}`, /its name is longer than 255/],
    ];
    for (const [text, reason] of cases) {
      const expected = { name: 'SigningError', code: 'IMAGE_REFERENCE_INVALID', message: reason };
      t.throws(() => parseTagReference(text), expected, text);
    }
    const long = 'X'.repeat(10_000);
    t.throws(() => parseTagReference(long), { message: /^"X{100}…" is not an image reference/ });
    t.throws(() => parseTagReference(long), { message: /^.{0,300}$/ });
  });

  t.test('are the same tag when both names are', async (t) => {
    const same = (a: string, b: string) => sameTag(parseTagReference(a), parseTagReference(b));
    t.ok(same('alpine', 'index.docker.io/library/alpine:latest'));
    t.notOk(same('h.test/app:v1', 'h.test/app:v2'));
    t.notOk(same('h.test/app:v1', 'h.test/app2:v1'));
    t.notOk(same('h.test/app:v1', 'h.test:443/app:v1'));
  });

  t.test('that are hostile are read in no time', async (t) => {
    const start = performance.now();
    const parts = [
      'a'.repeat(50_000),
      'a-'.repeat(25_000),
      'a.'.repeat(25_000),
      '_'.repeat(50_000),
    ];
    for (const part of parts) {
      for (const text of [
        part,
        `${part}!`,
        `${part}.x/y`,
        `${part}!.x/y`,
        `h.test/${part}!`,
        `a:${part}!`,
      ]) {
        try {
          parseTagReference(text);
        } catch (error) {
          if (!(error instanceof SigningError)) throw error;
        }
      }
    }
    t.ok(performance.now() - start < 20_000);
  });
});
