import { basename, dirname, relative } from 'node:path';
import t from 'tap';
import { ensureInstalled, findProgram } from './installed.ts';

t.test('what is missing is named, with what to install', async (t) => {
  await t.rejects(ensureInstalled(undefined, { path: '' }), {
    message:
      'not found: notary, notary-server, notary-signer, docker-registry, docker, openssl, ' +
      'postgres, promtool, buildah, runc, ssh-keygen. On Debian or Ubuntu: ' +
      'apt-get install --no-install-recommends ' +
      'notary docker-registry docker.io openssl postgresql prometheus buildah runc openssh-client; ' +
      'elsewhere put these programs on PATH.',
  });
  await t.rejects(
    ensureInstalled(['notary', 'notary-server'], { path: import.meta.dirname }),
    /not found: notary, notary-server\. .* notary; /,
  );
  await t.resolves(ensureInstalled());
  await t.resolves(ensureInstalled([], { path: '' }));
});

t.test('programs are found by absolute directories alone', async (t) => {
  const openssl = findProgram('openssl') ?? '';
  t.match(openssl, /^\/.*\/openssl$/);
  const directory = dirname(openssl);
  t.equal(findProgram('openssl', `:/nowhere:${directory}`), openssl);
  t.equal(findProgram('openssl', relative(process.cwd(), directory)), undefined);
  t.equal(findProgram(basename(directory), dirname(directory)), undefined, 'nor directories');
});
