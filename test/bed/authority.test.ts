import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createAuthority } from './authority.ts';
import { succeed } from './command.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const directory = temporaryDirectory();

t.test('certificates name loopback and the given hosts, and keys are private', async (t) => {
  const authority = await createAuthority(join(directory, 'made'));
  const [one, two] = await Promise.all([
    authority.issue({ name: 'same', hosts: ['notary.example.test', '192.0.2.1'] }),
    authority.issue({ name: 'same', usage: 'signing' }),
  ]);
  t.not(one.certificateFile, two.certificateFile);
  for (const { keyFile } of [one, two]) t.equal(statSync(keyFile).mode & 0o777, 0o600);
  const show = (file: string): Promise<string> =>
    succeed({ program: 'openssl', args: ['x509', '-in', file, '-noout', '-text'], directory });
  const names = 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1';
  const text = await show(one.certificateFile);
  t.match(text, `${names}, DNS:notary.example.test, IP Address:192.0.2.1\n`);
  t.match(text, 'TLS Web Server Authentication');
  t.match(text, 'NIST CURVE: P-256');
  t.match(await show(two.certificateFile), 'Code Signing');
  const verify = ['verify', '-CAfile', authority.certificateFile, one.certificateFile];
  t.match(await succeed({ program: 'openssl', args: verify, directory }), /: OK$/m);
  await t.rejects(
    authority.issue({ name: 'bad', hosts: ['a,otherName:b'] }),
    /openssl req .* exit/,
  );
});
