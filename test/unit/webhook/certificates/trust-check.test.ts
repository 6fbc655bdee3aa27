/** Whether the API server would trust what is served, where somebody else sees to certificates. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type {
  Seen,
  WebhookConfiguration,
} from '../../../../src/webhook/certificates/certificate-plan.ts';
import { distrustOf, trustCheck } from '../../../../src/webhook/certificates/trust-check.ts';
import { succeed } from '../../../bed/command.ts';
import { projectDirectory } from '../../../bed/project-directory.ts';

/** After all that is made here begins. */
const NOW = Date.now() + 60_000;
const DAY = 24 * 3600_000;

/** A root, what it issued as a CA, and what that issued as a server. */
async function chainIn(directory: string) {
  const make = async (name: string, issuer: string | undefined, ca: string) => {
    const signer = issuer === undefined ? [] : ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`];
    const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`];
    const extension = ['-addext', `basicConstraints=critical,CA:${ca}`];
    const args = ['req', '-x509', '-config', 'cnf', '-days', '30', '-subj', `/CN=${name}`];
    await succeed({
      program: 'openssl',
      args: [...args, ...key, ...signer, ...extension, '-out', `${name}.crt`],
      directory,
    });
    return readFile(join(directory, `${name}.crt`), 'utf8');
  };
  const root = await make('root', undefined, 'TRUE');
  const between = await make('between', 'root', 'TRUE');
  return { root, between, leaf: await make('leaf', 'between', 'FALSE') };
}

function seenWith(...bundles: readonly string[]): Seen {
  const one = (kind: WebhookConfiguration['kind']): WebhookConfiguration => ({
    kind,
    name: 'kpack-notary',
    resourceVersion: '1',
    entries: bundles.map((bundle, at) => ({
      name: `entry-${at}`,
      caBundle: Buffer.from(bundle).toString('base64'),
    })),
  });
  return {
    secret: 'unknown',
    configurations: {
      MutatingWebhookConfiguration: one('MutatingWebhookConfiguration'),
      ValidatingWebhookConfiguration: one('ValidatingWebhookConfiguration'),
    },
  };
}

t.test('trust is followed from what is served to a caBundle, in every entry', async (t) => {
  const directory = t.testdir({ cnf: '[req]\ndistinguished_name = dn\n[dn]\n' });
  const { root, between, leaf } = await chainIn(directory);
  const other = await chainIn(t.testdir({ cnf: '[req]\ndistinguished_name = dn\n[dn]\n' }));
  const chain = leaf + between;
  t.equal(distrustOf(chain, seenWith(root, other.root + root), NOW), undefined);
  t.equal(distrustOf(chain, seenWith(between), NOW), undefined);
  t.equal(distrustOf(leaf, seenWith(leaf), NOW), undefined, 'a leaf that is trusted by itself');
  const where = 'entry-1 of the MutatingWebhookConfiguration kpack-notary';
  t.equal(
    distrustOf(chain, seenWith(root, other.root), NOW),
    `the caBundle of ${where} does not trust the certificate that is served`,
  );
  t.equal(distrustOf(chain, seenWith(root, ''), NOW), `the caBundle of ${where} is empty`);
  t.match(distrustOf(leaf, seenWith(root), NOW), 'does not trust', 'a link is missing');
  t.match(distrustOf(leaf + root, seenWith(root), NOW), 'does not trust', 'another link');
  for (const days of [-2, 31]) {
    t.match(distrustOf(chain, seenWith(root), NOW + days * DAY), 'does not trust', `${days} days`);
  }
});

t.test(
  'what cannot be read is not proven, nor is a certificate that is not valid now',
  async (t) => {
    const directory = t.testdir({ cnf: '[req]\ndistinguished_name = dn\n[dn]\n' });
    const { leaf } = await chainIn(directory);
    const key = await readFile(join(directory, 'leaf.key'), 'utf8');
    const seen = seenWith('');
    const look = {
      seen: {
        ...seen,
        configurations: { ...seen.configurations, MutatingWebhookConfiguration: 'absent' },
      },
      problems: [],
      date: undefined,
    } as const;
    const check = trustCheck({ look: () => Promise.resolve(look) }, 'tls.crt', () => served);
    const missing = async () => (await check(new AbortController().signal)).missing;
    let served = { cert: leaf, key };
    t.same(await missing(), { 'ca-bundle': 'the MutatingWebhookConfiguration is not there' });
    await succeed({
      program: 'openssl',
      args: ['x509', '-in', 'leaf.crt', '-signkey', 'leaf.key', '-days', '-1', '-out', 'old.crt'],
      directory,
    });
    served = { cert: await readFile(join(directory, 'old.crt'), 'utf8'), key };
    t.match((await missing()).certificate, /^The certificate in tls\.crt expired/);
  },
);

t.test('the script for development makes what openssl accepts in its strictest mode', async (t) => {
  const directory = t.testdir();
  const program = join(projectDirectory(), 'certs/development.sh');
  const args = ['made', 'webhook.example.com', '10.0.0.1'];
  t.match(await succeed({ program, args, directory }), 'good for 30 days');
  // Again, over what is there.
  await succeed({ program, args, directory });
  for (const host of [
    ['-verify_hostname', 'webhook.example.com'],
    ['-verify_hostname', 'localhost'],
    ['-verify_ip', '10.0.0.1'],
    ['-verify_ip', '::1'],
  ]) {
    const how = ['verify', '-x509_strict', '-purpose', 'sslserver', ...host];
    const files = ['-CAfile', 'made/ca.crt', 'made/tls.crt'];
    const said = await succeed({ program: 'openssl', args: [...how, ...files], directory });
    t.equal(said, 'made/tls.crt: OK\n');
  }
  const [chain = '', root = ''] = await Promise.all(
    ['tls.crt', 'ca.crt'].map((file) => readFile(join(directory, 'made', file), 'utf8')),
  );
  t.equal(distrustOf(chain, seenWith(root), NOW), undefined);
});
