import t from 'tap';
import { SettingsError } from '../../../../src/shared/settings-error.ts';
import { parseSettings } from '../../../../src/webhook/settings/settings.ts';

t.test('settings', async (t) => {
  const image = `registry.example.com/signer@sha256:${'0f'.repeat(32)}`;
  const needed = ['--tls-cert=c', '--tls-key=k', `--signer-image=${image}`];
  const certificate = {
    kind: 'files',
    certFile: 'c',
    keyFile: 'k',
    configuration: 'kpack-notary',
  };
  t.same(parseSettings(needed, {}), {
    certificate,
    clientCa: undefined,
    port: 8443,
    metricsPort: 9402,
    shutdownDelay: 15,
    ownNamespace: undefined,
    kpackUsers: ['system:serviceaccount:kpack:controller'],
    placement: { image, cpu: '100m', memory: '128Mi' },
    logLevel: 'info',
    cluster: { kind: 'in-cluster' },
    warnings: [],
  });
  t.same(
    parseSettings(['--kpack-user=a', '--kpack-user', 'b', '--signer-cpu', '0.5', '--port=0'], {
      KPACK_NOTARY_TLS_CERT: 'c',
      KPACK_NOTARY_CLIENT_CA: '/client/ca.crt',
      KPACK_NOTARY_TLS_KEY: 'k',
      KPACK_NOTARY_SIGNER_IMAGE: 'i',
      KPACK_NOTARY_SIGNER_CPU: '7',
      KPACK_NOTARY_SIGNER_MEMORY: '1Gi',
      KPACK_NOTARY_MANIFESTS: 'm',
      KPACK_NOTARY_LOG_LEVEL: 'debug',
      KPACK_NOTARY_METRICS_PORT: '0',
      KPACK_NOTARY_SHUTDOWN_DELAY: '2.5',
      POD_NAMESPACE: 'kpack-notary',
    }),
    {
      certificate,
      clientCa: '/client/ca.crt',
      port: 0,
      metricsPort: 0,
      shutdownDelay: 2.5,
      ownNamespace: 'kpack-notary',
      kpackUsers: ['a', 'b'],
      placement: { image: 'i', cpu: '0.5', memory: '1Gi' },
      logLevel: 'debug',
      cluster: { kind: 'manifests', directory: 'm' },
      warnings: [
        '--signer-image i has no digest: who can move its tag runs beside the signing keys',
      ],
    },
  );
  const users = parseSettings(needed, { KPACK_NOTARY_KPACK_USER: 'a\nb\n' }).kpackUsers;
  t.same(users, ['a', 'b'], 'one a line');
  for (const [args, problem] of [
    [['--port=x'], '--port is 0 to 65535'],
    [['--port=-1'], '--port is 0 to 65535'],
    [['--port=1.5'], '--port is 0 to 65535'],
    [['--port=65536'], '--port is 0 to 65535'],
    [['--signer-cpu=0'], '--signer-cpu is a quantity like 100m, not "0"'],
    [['--signer-memory=1 Gi'], '--signer-memory is a quantity like 128Mi, not "1 Gi"'],
    [['--port=1', '--port=2'], '--port is given twice'],
    [['--port='], '--port needs a value'],
    [['--log-level=INFO'], '--log-level is one of fatal'],
    [['--port= '], '--port is 0 to 65535, not " "'],
    [['--shutdown-delay=15s'], '--shutdown-delay is 0 to 3600 seconds, not "15s"'],
    [['--shutdown-delay=3601'], '--shutdown-delay is 0 to 3600 seconds, not "3601"'],
    [['--port=0x50'], '--port is 0 to 65535, not "0x50"'],
    [['--signer-cpu=robot:canary@x'], '--signer-cpu is a quantity like 100m, not a value that may'],
    [['--metrics-port=x'], '--metrics-port is 0 to 65535'],
    [['--metrics-port=8443'], '--port and --metrics-port are the same'],
  ] as const) {
    t.throws(() => parseSettings([...needed, ...args], {}), { message: problem });
  }
  t.throws(() => parseSettings([], {}), SettingsError);
  // Kubernetes sets these for Services called kpack-notary and kpack-notary-metrics beside us.
  const linked = parseSettings(needed, {
    KPACK_NOTARY_PORT: 'tcp://10.0.0.1:443',
    KPACK_NOTARY_METRICS_PORT: 'tcp://[fd00::1]:9402',
  });
  t.match(linked, { port: 8443, metricsPort: 9402 });
  t.equal(parseSettings(needed, { POD_NAMESPACE: '' }).ownNamespace, undefined, 'empty is absent');
  t.throws(() => parseSettings([...needed, '--signer-image=robot:canary@registry.test/x'], {}), {
    message: /^(?!.*canary)/,
  });
  const own = parseSettings([...needed, '--own-namespace=a'], { POD_NAMESPACE: 'b' });
  t.equal(own.ownNamespace, 'a');
});

t.test('the certificate comes from files, or from a Secret of our own', async (t) => {
  const files = ['--tls-cert=c', '--tls-key=k'];
  const own = '--certificate-secret=authority';
  const of = (...args: string[]) =>
    parseSettings([`--signer-image=a/b@sha256:${'0f'.repeat(32)}`, ...args], {}).certificate;
  const configuration = 'kpack-notary';
  t.same(of(own), {
    kind: 'own',
    secret: 'authority',
    service: 'kpack-notary-webhook',
    configuration,
  });
  t.same(of(own, '--service=s', '--webhook-configuration=w'), {
    kind: 'own',
    secret: 'authority',
    service: 's',
    configuration: 'w',
  });
  t.match(of(...files, '--webhook-configuration=w'), { kind: 'files', configuration: 'w' });
  for (const [args, problem] of [
    [[], '--certificate-secret, or --tls-cert and --tls-key, is missing'],
    [['--tls-cert=c'], '--tls-key is missing'],
    [['--tls-key=c'], '--tls-cert is missing'],
    [[own, ...files], '--certificate-secret excludes --tls-cert and --tls-key'],
    [[own, '--manifests=m'], '--certificate-secret needs a cluster, which --manifests is not'],
    [['--certificate-secret=a/b'], '--certificate-secret is a name like kpack-notary, not "a/b"'],
    [[own, '--service=A'], '--service is a name like kpack-notary, not "A"'],
    [[own, '--webhook-configuration=..'], '--webhook-configuration is a name like'],
  ] as const) {
    t.throws(() => of(...args), { message: problem });
  }
});

t.test('the image name of the manifests is refused, since no registry has it', async (t) => {
  for (const image of [
    'registry.invalid/kpack-notary/signer:0.1.0',
    `registry.invalid:5000/s@sha256:${'0f'.repeat(32)}`,
  ]) {
    const args = ['--tls-cert=c', '--tls-key=k', `--signer-image=${image}`];
    t.throws(() => parseSettings(args, {}), {
      message: /set the name of your image, under images/,
    });
  }
});

t.test('the image of the signer is a reference, best with a digest', async (t) => {
  const digest = `sha256:${'0f'.repeat(32)}`;
  const withImage = (image: string) =>
    parseSettings(['--tls-cert=c', '--tls-key=k', `--signer-image=${image}`], {});
  for (const image of [`a/b@${digest}`, `localhost:5000/b:v1@${digest}`]) {
    t.same(withImage(image).warnings, [], image);
  }
  for (const image of ['signer', 'registry.example.com/a/b:v1', '[::1]:5000/b']) {
    t.match(withImage(image).warnings, [/has no digest/], image);
  }
  for (const image of [
    'https://registry.example.com/a',
    'a b',
    'A/B',
    'a:',
    `a@${digest}@${digest}`,
    `a@${digest.toUpperCase()}`,
    'a@sha256:00',
    `@${digest}`,
  ]) {
    t.throws(() => withImage(image), {
      message: /^--signer-image: .* (is not an image reference|is not sha256: )/,
    });
  }
});
