import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { runWatched, writeSecret } from '../../support/signer-run.ts';
import { demandSecretsKept, secretsGiven } from '../../support/signer-secrets.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
/** A value that nothing but the check of the very Secret can know. */
const value = (name: string) => `${name}-${randomUUID()}`;

const KEY_LINES = ['MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEF', 'zJ8kq2Vd0Jt4bX7cQm1sYw5nLr9uHf3g'];
const V2_KEY_LINE = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg';
const PASSWORD = value('key');
const V2_PASSWORD = value('v2');
const ROBOT = value('robot');
const REGISTRY = value('registry');
const TOKEN = value('identity');
const PROXY = value('proxy');

t.test('a secret in what a signer tells is found, wherever it came from and got to', async (t) => {
  const directory = t.testdir();
  const key = await writeSecret(join(directory, 'key'), {
    'a.key': `-----BEGIN ENCRYPTED PRIVATE KEY-----\nrole: a\n\n${KEY_LINES.join('\r\n')}\n-----END`,
    'b.key': '-----BEGIN CERTIFICATE-----\nMIIBjDCCATKgAwIBAgIUDfrKuSONwbmuOtsD\n-----END',
    'notary-password.txt': `  ${PASSWORD}\n`,
    'ca.crt': value('certificate'),
  });
  const robot = await writeSecret(join(directory, 'robot'), {
    username: 'robot-of-the-build',
    password: ROBOT,
  });
  const docker = await writeSecret(join(directory, 'docker'), {
    '.dockerconfigjson': JSON.stringify({
      auths: {
        'a.test': { auth: base64(`ann:${REGISTRY}`) },
        'b.test': { auth: base64('0000:'), identitytoken: TOKEN },
      },
    }),
  });
  const damaged = await writeSecret(join(directory, 'damaged'), { '.dockercfg': '{"a": unquoted' });
  const v2Key = await writeSecret(join(directory, 'v2-key'), {
    'tls.key': `-----BEGIN PRIVATE KEY-----\n${V2_KEY_LINE}\n-----END PRIVATE KEY-----\n`,
    'tls.crt': value('certificate'),
    password: V2_PASSWORD,
  });
  const file = (name: string) => join(directory, name);
  const run = {
    args: [
      `--key-dir=${key}`,
      `--v2-key-dir=${v2Key}`,
      `--notary-credentials=notary.test:4443=${robot}`,
      `--registry-credentials=${docker}`,
      `--registry-credentials=a.test=${damaged}`,
      `--receipt=${file('receipt')}`,
      `--termination-log=${file('log')}`,
      `--done-file=${file('done')}`,
      `--error-file=${file('error')}`,
    ],
    env: { HTTPS_PROXY: `http://ann:${PROXY}@proxy.test:3128` },
  };

  const told: Readonly<Record<string, { text: string; kind: string }>> = {
    'a password': { text: `it is ${PASSWORD}!`, kind: 'notary-password.txt of key' },
    'a password of credentials': { text: ROBOT, kind: 'password of robot' },
    'a password in base64': { text: base64(ROBOT), kind: 'password of robot' },
    'Basic credentials': {
      text: base64(`robot-of-the-build:${ROBOT}`),
      kind: 'password of robot',
    },
    'a line of a key': { text: `x${KEY_LINES[1]}`, kind: 'a.key of key' },
    'the beginning of a key': { text: KEY_LINES[0]?.slice(0, 30) ?? '', kind: 'a.key of key' },
    'a line of the v2 key': { text: V2_KEY_LINE, kind: 'tls.key of v2-key' },
    'the password of the v2 key': { text: V2_PASSWORD, kind: 'password of v2-key' },
    'a docker password': { text: REGISTRY, kind: '.dockerconfigjson of docker' },
    'a docker auth': { text: base64(`ann:${REGISTRY}`), kind: '.dockerconfigjson of docker' },
    'an identity token': { text: TOKEN, kind: '.dockerconfigjson of docker' },
    'a configuration that is no JSON': { text: '{"a": unquoted', kind: '.dockercfg of damaged' },
    "a proxy's password": { text: PROXY, kind: 'HTTPS_PROXY' },
    'a token': { text: `${base64('{"typ":"JWT","alg":"ES256"}')}.e30.x`, kind: 'JSON web token' },
    'a PEM block': { text: '-----BEGIN X-----', kind: 'PEM block' },
    'a header': { text: 'authorization: Bearer 0123456789abcdef', kind: 'Authorization header' },
    'a canary': { text: base64('xx-canary'), kind: 'a canary' },
  };
  for (const [what, { text, kind }] of Object.entries(told)) {
    const error = await demandSecretsKept(run, { stderr: text }).then(
      () => new Error('it was not found'),
      (error: unknown) => error as Error,
    );
    t.match(error.message, `${kind}, in stderr`, what);
    t.notOk(error.message.includes(text), 'the value is not told again');
  }
  for (const place of ['receipt', 'log', 'done', 'error']) {
    await writeFile(file(place), `{"message":"${PASSWORD}"}`);
    const name = place === 'log' ? 'termination-log' : place.replace(/^(done|error)$/, '$1-file');
    await t.rejects(demandSecretsKept(run, {}), { message: new RegExp(`, in ${name}$`) });
    await writeFile(file(place), '{"message":"robot-of-the-build has signed"}');
  }
  await t.resolves(demandSecretsKept(run, { stdout: 'signed by robot-of-the-build' }));
  const given = await secretsGiven(run);
  t.same(
    given.filter(({ forms }) => forms.length > 0).map(({ kind }) => kind.replace(/ of .*/, '')),
    [
      ...['a.key', 'notary-password.txt', 'password', 'tls.key'],
      ...['password', '.dockerconfigjson', '.dockercfg', 'HTTPS_PROXY'],
    ],
    'certificates and user names are none',
  );

  const leaky = (args: readonly string[]) =>
    runWatched({ program: 'node', args: [...args, ...run.args], directory });
  const print = `console.log(Buffer.from('${Buffer.from(PASSWORD).toString('hex')}', 'hex') + '')`;
  await t.rejects(leaky(['-e', print, '--']), /notary-password\.txt of key, in stdout$/);
  const killed = `${print}; process.kill(process.pid, 'SIGKILL')`;
  await t.rejects(leaky(['-e', killed, '--']), /notary-password\.txt of key, in output$/);
});
