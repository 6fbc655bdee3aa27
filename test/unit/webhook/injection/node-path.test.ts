import fc from 'fast-check';
import t from 'tap';
import { leadsToSecrets } from '../../../../src/webhook/injection/node-path.ts';

const CLOSED = [
  '/dev/mem',
  '/etc/kubernetes',
  '/etc/ssl/private',
  '/proc',
  '/root/.kube/config',
  '/run/containerd',
  '/sys/fs/cgroup',
  '/var/lib/etcd',
  '/var/lib/kubelet/pods',
];
const OPEN = [
  '/etc/localtime',
  '/etc/pki/tls/certs',
  '/etc/ssl/certs/ca-certificates.crt',
  '/run/agent/socket',
  '/usr/share/ca-certificates',
];

/** Other ways to write a path. */
const spelling = fc.record({
  slashes: fc.constantFrom('/', '//', '/./', '/x/../'),
  end: fc.constantFrom('', '/', '/.', '//'),
  isVarRun: fc.boolean(),
});
function spelt(
  path: string,
  { slashes, end, isVarRun }: { slashes: string; end: string; isVarRun: boolean },
) {
  const from = isVarRun ? path.replace(/^\/run/, '/var/run') : path;
  return from.replaceAll('/', slashes) + end;
}

t.test('a path is judged by where it leads, however it is written', async (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...CLOSED, ...OPEN), spelling, (path, how) => {
      return leadsToSecrets(spelt(path, how)) === CLOSED.includes(path);
    }),
  );
  t.pass('the same');
});

t.test('what holds a closed directory is closed, and so is what lies in one', async (t) => {
  const segment = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,8}$/);
  fc.assert(
    fc.property(fc.constantFrom(...CLOSED), fc.nat(4), (path, depth) => {
      const parent = path
        .split('/')
        .slice(0, depth + 1)
        .join('/');
      // A directory of CA certificates, though private keys lie beside them.
      return leadsToSecrets(parent) || parent === '/etc/ssl';
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...CLOSED), fc.array(segment), (path, below) =>
      leadsToSecrets([path, ...below].join('/')),
    ),
  );
  t.pass('closed');
});

t.test('of any text, an answer comes at once', async (t) => {
  fc.assert(fc.property(fc.string(), (text) => typeof leadsToSecrets(text) === 'boolean'));
  t.equal(leadsToSecrets(`/${'a/'.repeat(100_000)}b`), false);
  t.equal(leadsToSecrets('dev'), true, 'a path that is not absolute is one below the root');
});
