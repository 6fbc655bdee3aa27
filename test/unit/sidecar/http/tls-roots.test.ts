import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createAuthority } from '../../../bed/authority.ts';
import { runCommand } from '../../../bed/command.ts';
import { startHandlerServer } from '../../../bed/handler-server.ts';
import { temporaryDirectory } from '../../../bed/temporary-directory.ts';

const home = temporaryDirectory();

t.test('more roots do not take the place of the default ones', async (t) => {
  const [first, second, unknown] = await Promise.all(
    ['first', 'second', 'unknown'].map((name) => createAuthority(join(home, name))),
  );
  const servers = await Promise.all(
    [first, second, unknown].map((authority) =>
      startHandlerServer({
        ...(authority && { authority }),
        handle: (_, response) => response.end(),
      }),
    ),
  );
  t.teardown(() => Promise.all(servers.map((server) => server.stop())));
  // Nobody outside has a server with a bundled root, so the default roots are given by OpenSSL's
  // variable here, which the same code of Node reads.
  const module = fileURLToPath(
    new URL('../../../../src/sidecar/http/tls-roots.js', import.meta.url),
  );
  const script = join(home, 'script.mjs');
  await writeFile(
    script,
    `import { get } from 'node:https';
     import { readFileSync } from 'node:fs';
     import { trustRoots } from ${JSON.stringify(module)};
     const secureContext = trustRoots(process.argv.slice(3).map((file) => readFileSync(file, 'utf8')));
     for (const url of process.argv[2].split(',')) {
       const outcome = await new Promise((resolve) =>
         get(url, { secureContext }, ({ statusCode }) => resolve(statusCode)).on('error', ({ code }) => resolve(code)));
       console.log(outcome);
     }
     process.exit();`,
  );
  const urls = servers.map(({ url }) => url).join(',');
  const outcomes = async (...files: readonly string[]) => {
    const { stdout, stderr } = await runCommand({
      program: process.execPath,
      args: ['--use-openssl-ca', script, urls, ...files],
      directory: home,
      env: { SSL_CERT_FILE: first?.certificateFile ?? '' },
    });
    t.equal(stderr, '');
    return stdout.trim().split('\n');
  };
  const refused = 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY';
  t.same(await outcomes(), ['200', refused, refused]);
  t.same(await outcomes(second?.certificateFile ?? ''), ['200', '200', refused]);
  await writeFile(join(home, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n');
  const files = [join(home, 'broken.pem'), second?.certificateFile ?? ''];
  t.same(await outcomes(...files), ['200', '200', refused], 'what cannot be read adds nothing');
});

t.test('this Node lets us add to its default roots', async (t) => {
  const native = createSecureContext({}).context as Record<string, unknown>;
  t.type(
    native['addCACert'],
    'function',
    'else each root is parsed twice, and the start is slower',
  );
});
