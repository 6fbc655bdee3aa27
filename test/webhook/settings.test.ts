import t from 'tap';
import { SettingsError } from '../../src/webhook/settings-error.ts';
import { parseSettings } from '../../src/webhook/settings.ts';

t.test('settings', (t) => {
  const needed = ['--tls-cert=c', '--tls-key=k', '--signer-image=i'];
  t.same(parseSettings(needed, {}), {
    tlsCertFile: 'c',
    tlsKeyFile: 'k',
    port: 8443,
    kpackUsers: ['system:serviceaccount:kpack:controller'],
    placement: { image: 'i', cpu: '100m', memory: '128Mi' },
    logLevel: 'info',
    cluster: { kind: 'in-cluster' },
  });
  t.same(
    parseSettings(['--kpack-user=a', '--kpack-user', 'b', '--signer-cpu', '0.5', '--port=0'], {
      KPACK_NOTARY_TLS_CERT: 'c',
      KPACK_NOTARY_TLS_KEY: 'k',
      KPACK_NOTARY_SIGNER_IMAGE: 'i',
      KPACK_NOTARY_SIGNER_CPU: '7',
      KPACK_NOTARY_SIGNER_MEMORY: '1Gi',
      KPACK_NOTARY_MANIFESTS: 'm',
      KPACK_NOTARY_LOG_LEVEL: 'debug',
    }),
    {
      tlsCertFile: 'c',
      tlsKeyFile: 'k',
      port: 0,
      kpackUsers: ['a', 'b'],
      placement: { image: 'i', cpu: '0.5', memory: '1Gi' },
      logLevel: 'debug',
      cluster: { kind: 'manifests', directory: 'm' },
    },
  );
  const users = parseSettings(needed, { KPACK_NOTARY_KPACK_USER: 'a\nb\n' }).kpackUsers;
  t.same(users, ['a', 'b'], 'one a line');
  for (const [args, problem] of [
    [['--port=x'], '--port is 0 to 65535'],
    [['--port=-1'], '--port is 0 to 65535'],
    [['--port=1.5'], '--port is 0 to 65535'],
    [['--port=65536'], '--port is 0 to 65535'],
    [['--signer-cpu=0'], '--signer-cpu is a quantity like 100m, not 0'],
    [['--signer-memory=1 Gi'], '--signer-memory is a quantity like 128Mi, not 1 Gi'],
    [['--port=1', '--port=2'], '--port is given twice'],
    [['--port='], '--port needs a value'],
    [['--log-level=INFO'], '--log-level is one of fatal'],
  ] as const) {
    t.throws(() => parseSettings([...needed, ...args], {}), { message: problem });
  }
  t.throws(() => parseSettings([], {}), SettingsError);
  t.end();
});
