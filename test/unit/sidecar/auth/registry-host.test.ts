import t from 'tap';
import { parseTagReference } from '../../../../src/shared/image-reference.ts';
import { registryHost } from '../../../../src/shared/registry-host.ts';
import { registryRepository } from '../../../../src/sidecar/auth/registry-host.ts';

t.test('the registry of a repository', async (t) => {
  const of = (image: string) => registryRepository(parseTagReference(image).gun);

  t.test('is asked where it is; Docker Hub elsewhere than it is named', async (t) => {
    const cases: readonly (readonly [
      image: string,
      registry: string,
      host: string,
      name: string,
    ])[] = [
      ['alpine', 'docker.io', 'registry-1.docker.io', 'library/alpine'],
      ['index.docker.io/team/app', 'docker.io', 'registry-1.docker.io', 'team/app'],
      ['registry-1.docker.io/team/app', 'docker.io', 'registry-1.docker.io', 'team/app'],
      ['h.test/a/b/c:1', 'h.test', 'h.test', 'a/b/c'],
      ['H.test:5000/a', 'h.test:5000', 'h.test:5000', 'a'],
      ['h.test:443/a', 'h.test', 'h.test', 'a'],
      ['[::1]:5000/a', '[::1]:5000', '[::1]:5000', 'a'],
      ['my.docker.io/a', 'my.docker.io', 'my.docker.io', 'a'],
    ];
    for (const [image, registry, host, name] of cases) {
      t.match(of(image), { registry, host, name }, image);
    }
  });

  t.test('may speak plain http on this machine alone', async (t) => {
    const local = ['localhost', 'localhost:5000', '127.0.0.1', '127.8.9.1:5000', '[::1]:5000'];
    for (const host of local) t.ok(of(`${host}/a`).isLoopback, host);
    const remote = [
      'localhost.example.test',
      'notlocalhost:5000',
      '127.0.0.1.example.test',
      '128.0.0.1',
      '10.0.0.1:5000',
      '[::2]:5000',
      '[::ffff:a00:1]:5000',
      'registry.local:5000',
    ];
    for (const host of remote) t.notOk(of(`${host}/a`).isLoopback, host);
  });

  t.test('that cannot be is refused', async (t) => {
    for (const image of ['h.test:99999/a', '1.2.3.999/a', '[1.2]/a', '[::1::2]:5/a']) {
      t.throws(() => of(image), { name: 'SigningError', code: 'IMAGE_REFERENCE_INVALID' }, image);
    }
  });
});

t.test('a registry as people write it', async (t) => {
  const cases: readonly (readonly [text: string, host: string | undefined])[] = [
    ['h.test', 'h.test'],
    ['h.test:5000', 'h.test:5000'],
    ['https://h.test', 'h.test'],
    ['https://h.test:443/v2/', 'h.test'],
    ['http://h.test:5000', 'h.test:5000'],
    ['h.test/v1/', 'h.test'],
    ['HTTPS://GCR.io', 'gcr.io'],
    ['docker.io', 'docker.io'],
    ['index.docker.io', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['[::1]:5000', '[::1]:5000'],
    ['', undefined],
    ['https://', undefined],
    ['h.test:99999', undefined],
    ['a b', undefined],
  ];
  for (const [text, host] of cases) t.equal(registryHost(text), host, text);
  t.equal(registryHost(`${'A'.repeat(20_000)}!`), undefined, 'no host is that long');
});
