import { once } from 'node:events';
import { copyFile, rm, truncate } from 'node:fs/promises';
import { connect, type TLSSocket } from 'node:tls';
import t from 'tap';
import { createAuthority, type Authority, type Certificate } from '../bed/authority.ts';
import { startWebhook } from '../bed/webhook.ts';
import { IMAGE_FLAG, PROGRAM, until } from '../support/program.ts';

let authority: Authority;
t.before(async () => {
  authority = await createAuthority(t.testdir());
});

t.test('a certificate that is replaced on disk is served to those who come next', async (t) => {
  const directory = t.testdir({ manifests: {} });
  const issued: Certificate[] = [];
  const recording: Authority = {
    ...authority,
    issue: async (request) => {
      const certificate = await authority.issue(request);
      issued.push(certificate);
      return certificate;
    },
  };
  const webhook = await startWebhook({
    program: PROGRAM,
    directory,
    authority: recording,
    args: ['--manifests=manifests', IMAGE_FLAG],
  });
  t.teardown(() => webhook.stop());
  const port = Number(new URL(webhook.url).port);
  const first = await servedSerial(port);
  const open = connect({ port, host: '127.0.0.1', ca: authority.certificatePem });
  await once(open, 'secureConnect');
  t.teardown(() => open.destroy());
  t.match(await health(open), OK);

  const oldest = {
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
    ciphers: 'DEFAULT:@SECLEVEL=0',
  } as const;
  const refused = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...oldest });
  const [error] = (await once(refused, 'error')) as [Error];
  t.match(error, { code: /PROTOCOL/ }, 'TLS 1.1 is refused');

  const [old] = issued;
  if (!old) throw new Error('no certificate was issued');
  const next = await authority.issue({ name: 'next' });
  await copyFile(next.certificateFile, old.certificateFile);
  await until(() => webhook.output().includes('cannot be served yet'));
  t.equal(await servedSerial(port), first, 'half a pair is not served');
  await copyFile(next.keyFile, old.keyFile);
  await until(async () => (await servedSerial(port)) !== first);

  const second = await servedSerial(port);
  for (const file of [old.keyFile, old.certificateFile]) {
    const told = webhook.output().length;
    await truncate(file);
    await until(() => webhook.output().slice(told).includes('cannot be served yet'));
    t.equal(await servedSerial(port), second, 'an empty file is not served');
  }

  await rm(old.keyFile);
  await rm(old.certificateFile);
  await until(() => /ENOENT/.test(webhook.output()));
  t.not(await servedSerial(port), first, 'what was served last stays');

  t.match(await health(open), OK, 'an open connection goes on');
});

const OK = /^HTTP\/1.1 200 /;

async function health(open: TLSSocket): Promise<string> {
  open.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [answer] = (await once(open, 'data')) as [Buffer];
  return answer.toString();
}

async function servedSerial(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', ca: authority.certificatePem });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
}
