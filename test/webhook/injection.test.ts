import t from 'tap';
import { readFlags } from '../../src/shared/flags.ts';
import { SIGNER_FLAGS } from '../../src/shared/signer-flags.ts';
import { parseQuantity } from '../../src/webhook/quantity.ts';
import type { PodManifest } from '../build-fixture.ts';
import { secret, signingNamespace } from '../build-fixture.ts';
import {
  allContainers,
  annotate,
  changed,
  container,
  fixtureNames,
  initContainers,
  inject,
  mutate,
  PIN,
  section,
  setSection,
  SETTINGS,
  SIGNER,
  signerFlags,
  URL,
  validate,
  verdictOf,
  world,
  type Container,
} from './world.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
const REPORT = '/var/report/report.toml';
const BY_NAMESPACE = {
  'notary.kpack.io/v1.url': URL,
  'notary.kpack.io/v1.secretRef': 'notary-signing',
};

/** Fixtures that can be signed: kpack.io, Linux, steps as init containers. */
const signable = fixtureNames().filter((name) => {
  const { pod } = world(name);
  return (
    pod.metadata.labels?.['kpack.io/build'] !== undefined &&
    initContainers(pod).some((step) => step.name === 'export' || step.name === 'rebase') &&
    pod.spec.nodeSelector?.['kubernetes.io/os'] !== 'windows' &&
    (pod.metadata.ownerReferences ?? []).every(({ apiVersion }) =>
      apiVersion.startsWith('kpack.io/'),
    )
  );
});
const hasSection = (name: string) => world(name).build.spec['notary'] !== undefined;

t.test('the fixtures cover builds and rebases of several versions', (t) => {
  t.equal(signable.filter(hasSection).length, 15);
  t.ok(signable.length > 35);
  for (const version of ['v0.2.0', 'v0.5.4', 'v0.9.7', 'v0.17.2']) {
    t.ok(
      signable.some((name) => name.startsWith(version)),
      version,
    );
  }
  t.end();
});

for (const name of signable) {
  t.test(`${name} is signed after the image was pushed and before completion`, async (t) => {
    // Where neither Image nor Build asks, the admin does.
    const annotations = hasSection(name) ? {} : BY_NAMESPACE;
    const given = world(name, signingNamespace('enabled', annotations));
    const response = await mutate(given);
    t.equal(response.patchType, 'JSONPatch');
    const pod = await inject(given);

    const steps = initContainers(pod).map((step) => step.name);
    const before = initContainers(given.pod).map((step) => step.name);
    t.same(steps, [...before, SIGNER], 'the last of the init containers');
    t.same(
      pod.spec.containers.map((step) => step.name),
      ['completion'],
    );
    const signer = container(pod, SIGNER);
    t.equal(signer.image, SETTINGS.placement.image);
    t.same(signer.command, ['node', '/app/signer.cjs']);
    t.equal(signer.terminationMessagePolicy, 'FallbackToLogsOnError');
    t.same(restrictedViolations(pod, signer), [], 'Pod Security restricted');
    t.same(resourceProblems(signer), []);

    const flags = signerFlags(pod);
    t.same(readFlags(SIGNER_FLAGS, signer.args ?? [], {}).problems, [], 'flags the signer knows');
    t.same(flags['notary-url'], [URL]);
    t.same(flags['allow-tag'], given.build.spec['tags']);
    t.same(flags['report'], [REPORT]);
    t.notOk(flags['tag']);
    t.match(mountAt(signer, '/var/report'), { name: 'report-dir', readOnly: true });

    const [keyDirectory = ''] = flags['key-dir'] ?? [];
    const keyVolume = mountAt(signer, keyDirectory)?.name;
    t.same(volumesWithSecret(pod, 'notary-signing'), [keyVolume]);
    t.same(
      allContainers(pod).flatMap((each) =>
        (each.volumeMounts ?? []).filter((mount) => mount.name === keyVolume).map(() => each.name),
      ),
      [SIGNER],
      'it alone mounts the key',
    );
    const tokenVolume = mountAt(signer, TOKEN_PATH)?.name;
    t.same(
      pod.spec.volumes?.find((volume) => volume.name === tokenVolume),
      { name: tokenVolume, emptyDir: {} },
      'no token can be mounted',
    );

    t.notMatch(JSON.stringify(container(pod, 'completion').args ?? []), /notary-v1-url/);
    t.strictSame(withoutOurs(pod), withoutKpackSigner(given.pod), 'all else is as it was');
    t.equal(pod.metadata.annotations?.['notary.kpack.io/injected'], SETTINGS.version);
  });

  t.test(`${name}, once injected, stays as it is and is accepted`, async (t) => {
    const annotations = hasSection(name) ? {} : BY_NAMESPACE;
    const given = world(name, signingNamespace('enabled', annotations));
    const pod = await inject(given);
    for (const [what, arrived] of [
      ['as we left it', pod],
      ['after defaulting and other plug-ins', afterOtherPlugins(pod)],
    ] as const) {
      t.equal(verdictOf(await mutate(given, { pod: arrived })), 'allowed', `mutate, ${what}`);
      t.equal(verdictOf(await validate(given, arrived)), 'allowed', `validate, ${what}`);
    }
    const unsigned = await validate(given, given.pod);
    t.equal(verdictOf(unsigned), '503 SIGNER_MISSING', 'as kpack posted it');
    t.equal(
      verdictOf(await validate(given, withoutOurs(pod))),
      '503 SIGNER_MISSING',
      'taken out again',
    );
  });
}

t.test('a pod whose init containers and sidecars grew meanwhile is accepted', async (t) => {
  const given = world();
  const pod = changed(await inject(given), (pod) => {
    initContainers(pod).unshift({ name: 'mesh-init', image: 'mesh' });
    initContainers(pod).push({ name: 'mesh-wait', image: 'mesh' });
    pod.spec.containers.unshift({ name: 'mesh-proxy', image: 'mesh' });
  });
  t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
});

t.test('quantities that the API server rewrote are the same', async (t) => {
  const given = world();
  container(given.pod, 'export').resources = {
    requests: { cpu: '1000m', memory: '1048576Ki', 'ephemeral-storage': '0.5Gi' },
    limits: { cpu: '2.0', memory: '2e9' },
  };
  const pod = changed(await inject(given), (pod) => {
    container(pod, SIGNER).resources = {
      requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '512Mi' },
      limits: { cpu: '2', memory: '2G', 'ephemeral-storage': '1Gi' },
    };
  });
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
  const halved = changed(pod, (pod) => {
    container(pod, SIGNER).resources = {
      requests: { cpu: '1', memory: '1Gi', 'ephemeral-storage': '512Mi' },
      limits: { cpu: '1', memory: '2G' },
    };
  });
  t.equal(verdictOf(await validate(given, halved)), '503 SIGNER_DIFFERS');
});

t.test('a signing container that is not as injected is refused', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  annotate(given, {
    'notary.kpack.io/v1.caSecretRef': 'notary-ca',
    'notary.kpack.io/v1.rootPin': PIN,
  });
  const injected = await inject(given);
  t.equal(verdictOf(await validate(given, injected)), 'allowed');
  const move = (pod: PodManifest, to: (signer: Container) => void) => {
    const signer = container(pod, SIGNER);
    pod.spec.initContainers = initContainers(pod).filter((step) => step !== signer);
    to(signer);
  };
  const cases: Record<string, (signer: Container, pod: PodManifest) => void> = {
    'another image': (signer) => (signer.image = 'registry.example.com/other'),
    'no image': (signer) => delete signer.image,
    'another argument': (signer) => (signer.args ?? []).push('--dry-run'),
    'an argument less': (signer) => (signer.args ?? []).pop(),
    'an argument changed': (signer) => {
      signer.args = (signer.args ?? []).map((arg) =>
        arg.replace('notary.example.com', 'evil.example'),
      );
    },
    'arguments in another order': (signer) => (signer.args ?? []).reverse(),
    'no arguments': (signer) => delete signer.args,
    'another command': (signer) => (signer.command = ['true']),
    'a command that begins with ours': (signer) => (signer.command ?? []).push('x'),
    'no command': (signer) => delete signer.command,
    'another message policy': (signer) => (signer.terminationMessagePolicy = 'File'),
    privileged: (signer) => loosen(signer, { privileged: true }),
    'no security context': (signer) => delete signer.securityContext,
    'a writable root': (signer) => delete signer.securityContext?.readOnlyRootFilesystem,
    'privilege escalation': (signer) => {
      loosen(signer, { allowPrivilegeEscalation: true });
    },
    'capabilities kept': (signer) => delete signer.securityContext?.capabilities,
    'no seccomp profile': (signer) => {
      loosen(signer, { seccompProfile: { type: 'Unconfined' } });
    },
    'more memory than it was given': (signer) => {
      (signer.resources ??= {}).limits = { cpu: '100m', memory: '4Gi' };
    },
    'moved before export': (_, pod) =>
      move(pod, (signer) =>
        initContainers(pod).splice(
          initContainers(pod).findIndex(({ name }) => name === 'export'),
          0,
          signer,
        ),
      ),
    'moved to the front': (_, pod) => move(pod, (signer) => initContainers(pod).unshift(signer)),
    'moved to the standard containers': (_, pod) =>
      move(pod, (signer) => pod.spec.containers.push(signer)),
    'there twice': (signer, pod) => pod.spec.containers.push(signer),
    'a key volume with another Secret': (_, pod) => {
      volume(pod, 'notary-sign-key').secret = { secretName: 'other', defaultMode: 0o440 };
    },
    'a key volume without its Secret': (_, pod) => {
      delete volume(pod, 'notary-sign-key').secret;
      volume(pod, 'notary-sign-key').emptyDir = {};
    },
    'a key volume with another mode': (_, pod) => {
      volume(pod, 'notary-sign-key').secret = { secretName: 'notary-signing', defaultMode: 0o777 };
    },
    'a token in place of the empty directory': (_, pod) => {
      delete volume(pod, 'notary-sign-no-token').emptyDir;
      volume(pod, 'notary-sign-no-token').projected = {
        sources: [{ serviceAccountToken: { path: 'token' } }],
      };
    },
    'kpack to sign as well': (_, pod) => {
      (container(pod, 'completion').args ??= []).push(`-notary-v1-url=${URL}`);
    },
    'a second key for kpack': (_, pod) => {
      delete volume(pod, 'notary-dir').emptyDir;
      volume(pod, 'notary-dir').secret = { secretName: 'notary-signing' };
    },
  };
  for (const mount of container(injected, SIGNER).volumeMounts ?? []) {
    const without = (signer: Container) =>
      (signer.volumeMounts ?? []).filter((candidate) => candidate.name !== mount.name);
    cases[`without the mount ${mount.name}`] = (signer) => (signer.volumeMounts = without(signer));
    cases[`with ${mount.name} somewhere else`] = (signer) => {
      signer.volumeMounts = [
        ...without(signer),
        changed(mount, (mount) => (mount.mountPath = '/elsewhere')),
      ];
    };
    cases[`with ${mount.name} writable`] = (signer) => {
      signer.volumeMounts = [
        ...without(signer),
        changed(mount, (mount) => (mount.readOnly = false)),
      ];
    };
  }
  for (const added of injected.spec.volumes ?? []) {
    if (!added.name.startsWith('notary-sign-')) continue;
    cases[`without the volume ${added.name}`] = (_, pod) => {
      pod.spec.volumes = (pod.spec.volumes ?? []).filter(({ name }) => name !== added.name);
    };
  }
  t.ok(Object.keys(cases).length > 45);
  for (const [what, change] of Object.entries(cases)) {
    const pod = changed(injected, (pod) => change(container(pod, SIGNER), pod));
    t.notSame(pod, injected);
    t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_DIFFERS', what);
    if (/key for kpack|kpack to sign/.test(what)) continue;
    t.equal(verdictOf(await mutate(given, { pod })), '503 SIGNER_DIFFERS', `mutate: ${what}`);
  }
});

t.test('a signing container that was given more rights or less to read is refused', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  const injected = await inject(given);
  const cases: Record<string, (signer: Container, pod: PodManifest) => void> = {
    'capabilities added': (signer) => {
      loosen(signer, { capabilities: { drop: ['ALL'], add: ['SYS_PTRACE'] } });
    },
    'another user': (signer) => loosen(signer, { runAsUser: 0 }),
    'unmasked /proc': (signer) => {
      loosen(signer, { procMount: 'Unmasked' });
    },
    'a restart policy that lets the build go on without it': (signer) => {
      signer.restartPolicy = 'Always';
    },
    'a key volume with chosen items': (_, pod) => {
      volume(pod, 'notary-sign-key').secret = {
        secretName: 'notary-signing',
        defaultMode: 0o440,
        items: [{ key: 'other.key', path: 'x.key' }],
      };
    },
    'a key volume that may be missing': (_, pod) => {
      volume(pod, 'notary-sign-key').secret = {
        secretName: 'notary-signing',
        defaultMode: 0o440,
        optional: true,
      };
    },
  };
  for (const mount of container(injected, SIGNER).volumeMounts ?? []) {
    cases[`${mount.name} of a sub-path`] = (signer) => {
      const others = (signer.volumeMounts ?? []).filter(({ name }) => name !== mount.name);
      signer.volumeMounts = [...others, changed(mount, (mount) => (mount.subPath = 'other'))];
    };
  }
  for (const [what, change] of Object.entries(cases)) {
    const pod = changed(injected, (pod) => change(container(pod, SIGNER), pod));
    t.notSame(pod, injected);
    t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_DIFFERS', what);
  }
});

t.test('a pod that lost its signing container, but not our volumes, is posted again', async (t) => {
  const given = world();
  const pod = changed(await inject(given), (pod) => {
    pod.spec.initContainers = initContainers(pod).filter(({ name }) => name !== SIGNER);
  });
  t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_MISSING');
});

t.test('other plug-ins may add variables and mounts to the signing container', async (t) => {
  const given = world();
  const pod = changed(await inject(given), (pod) => {
    const signer = container(pod, SIGNER);
    signer.env = [{ name: 'HTTPS_PROXY', value: 'http://proxy.example.com:3128' }];
    signer.volumeMounts?.unshift({ name: 'mesh', mountPath: '/var/run/mesh' });
    signer.imagePullPolicy = 'Always';
  });
  t.equal(verdictOf(await validate(given, pod)), 'allowed');
});

t.test('what steers the signer or loads code into it does not count as an addition', async (t) => {
  const given = world();
  const injected = await inject(given);
  const cases: Record<string, (signer: Container) => void> = {
    'node is to load another program': (signer) => {
      signer.env = [{ name: 'NODE_OPTIONS', value: '--require /agent/agent.js' }];
    },
    'the loader is to preload a library': (signer) => {
      signer.env = [{ name: 'LD_PRELOAD', value: '/agent/agent.so' }];
    },
    'a failure is to be a warning': (signer) => {
      signer.env = [{ name: 'KPACK_NOTARY_ON_FAILURE', value: 'warn' }];
    },
    'variables come from an object that anybody may write': (signer) => {
      signer.envFrom = [{ configMapRef: { name: 'developer' } }];
    },
    'another program is mounted over ours': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/app' });
    },
    'another report is mounted over that of the build': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: REPORT, subPath: 'r.toml' });
    },
    'other keys are mounted over ours': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/var/notary-sign/key/x.key' });
    },
  };
  for (const [what, change] of Object.entries(cases)) {
    const pod = changed(injected, (pod) => change(container(pod, SIGNER)));
    t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_DIFFERS', what);
  }
});

t.test('a failing signer fails the build, whatever its environment says', async (t) => {
  const { args = [] } = container(await inject(world()), SIGNER);
  const { values } = readFlags(SIGNER_FLAGS, args, { KPACK_NOTARY_ON_FAILURE: 'warn' });
  t.not(values['on-failure'].at(-1), 'warn');
});

t.test('a build without a report volume', (t) => {
  const stripped = (name: string, api: string | undefined) => {
    const given = world(name);
    withoutReport(given.pod, api);
    return given;
  };

  for (const api of ['0.4', '0.7', '0.10', '1.0']) {
    t.test(`gets one when it declares platform API ${api}`, async (t) => {
      const given = stripped('v0.17.2/02-notary', api);
      const pod = await inject(given);
      const [report, ...before] = container(pod, 'export').args ?? [];
      t.equal(report, `-report=${REPORT}`, 'in front of all tags');
      t.same(before, container(given.pod, 'export').args);
      t.match(mountAt(container(pod, 'export'), '/var/report'), { name: 'report-dir' });
      t.not(mountAt(container(pod, 'export'), '/var/report')?.readOnly, true);
      t.same(volume(pod, 'report-dir'), { name: 'report-dir', emptyDir: {} });
      t.match(mountAt(container(pod, SIGNER), '/var/report'), { name: 'report-dir' });
      t.match(signerFlags(pod), { report: [REPORT], tag: undefined });
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed', 'and no second one');
      t.equal(verdictOf(await validate(given, afterOtherPlugins(pod))), 'allowed');
      const silent = changed(pod, (pod) => container(pod, 'export').args?.shift());
      t.equal(verdictOf(await validate(given, silent)), '503 SIGNER_DIFFERS', 'it must report');

      const rest = withoutOurs(pod);
      container(rest, 'export').args?.shift();
      container(rest, 'export').volumeMounts?.pop();
      rest.spec.volumes = rest.spec.volumes?.filter(({ name }) => name !== 'report-dir') ?? [];
      t.strictSame(rest, withoutKpackSigner(given.pod));
    });
  }

  for (const [name, api] of [
    ['v0.17.2/02-notary', undefined],
    ['v0.17.2/02-notary', '0.3'],
    ['v0.17.2/02-notary', 'none'],
    ['v0.17.2/05b-rebase-notary', undefined],
  ] as const) {
    t.test(`${name} with platform API ${api}: the registry is asked instead`, async (t) => {
      const given = stripped(name, api);
      const pod = await inject(given);
      const flags = signerFlags(pod);
      t.same(flags['tag'], given.build.spec['tags']);
      t.same(flags['allow-tag'], given.build.spec['tags']);
      t.notOk(flags['report']);
      t.notOk(mountAt(container(pod, SIGNER), '/var/report'));
      t.notMatch(pod.spec.volumes, [{ name: 'report-dir' }]);
      t.strictSame(
        withoutOurs(pod),
        withoutKpackSigner(given.pod),
        'no argument for the lifecycle',
      );
      t.equal(verdictOf(await mutate(given, { pod })), 'allowed');
      t.equal(verdictOf(await validate(given, afterOtherPlugins(pod))), 'allowed');
    });
  }

  t.test('of which a part is there gets the rest', async (t) => {
    const given = world();
    container(given.pod, 'export').args = ['registry.example.com/team/app'];
    const pod = await inject(given);
    t.same(container(pod, 'export').args, [`-report=${REPORT}`, 'registry.example.com/team/app']);
    const names = (pod.spec.volumes ?? []).filter(({ name }) => name === 'report-dir');
    t.equal(names.length, 1, 'one volume');
    const mounts = container(pod, 'export').volumeMounts?.filter(
      ({ name }) => name === 'report-dir',
    );
    t.equal(mounts?.length, 1, 'one mount');

    const unmounted = world();
    const step = container(unmounted.pod, 'export');
    step.volumeMounts = (step.volumeMounts ?? []).filter(({ name }) => name !== 'report-dir');
    const mended = container(await inject(unmounted), 'export');
    t.match(mountAt(mended, '/var/report'), { name: 'report-dir' });
    t.same(mended.args, step.args, 'one argument');
  });

  t.test('whose place is taken is refused', async (t) => {
    const given = stripped('v0.17.2/02-notary', '0.9');
    container(given.pod, 'export').volumeMounts?.push({
      name: 'layers-dir',
      mountPath: '/var/report',
    });
    const response = await mutate(given);
    t.equal(verdictOf(response), '422 POD_COLLISION');
    t.match(response.status?.message, /another volume at \/var\/report of export/);
  });
  t.end();
});

t.test(
  'the signing container runs as the user of the pod, or as one that is not root',
  async (t) => {
    for (const [podUser, own] of [
      [1000, undefined],
      [65534, undefined],
      [undefined, 65532],
      [0, 65532],
    ] as const) {
      const given = world();
      const context = (given.pod.spec.securityContext ??= {});
      if (podUser === undefined) delete context.runAsUser;
      else context.runAsUser = podUser;
      const pod = await inject(given);
      const { securityContext } = container(pod, SIGNER);
      t.equal(securityContext?.runAsUser, own, `user ${podUser} of the pod`);
      t.equal(securityContext?.runAsNonRoot, true);
      t.equal(pod.spec.securityContext?.runAsUser, podUser);
      t.same(restrictedViolations(pod, container(pod, SIGNER)), []);
    }
    const rebase = await inject(world('v0.2.0/05b-rebase-notary'));
    t.equal(container(rebase, SIGNER).securityContext?.runAsUser, 65532, 'no context at all');
  },
);

t.test(
  'our Secrets can be read by the group of the pod, or by all where it has none',
  async (t) => {
    for (const [fsGroup, mode] of [
      [1000, 0o440],
      [0, 0o440],
      [undefined, 0o444],
    ] as const) {
      const given = world('v0.17.2/02b-notary-registry-secrets');
      annotate(given, { 'notary.kpack.io/v1.caSecretRef': 'notary-ca' });
      given.pod.spec.securityContext = {
        runAsUser: 1000,
        ...(fsGroup !== undefined && { fsGroup }),
      };
      const pod = await inject(given);
      const ours = (pod.spec.volumes ?? []).filter(({ name }) => name.startsWith('notary-sign-'));
      const secrets = ours.flatMap(({ secret }) => (secret ? [secret] : []));
      t.same(secrets.map(({ secretName }) => secretName).sort(), [
        'notary-ca',
        'notary-creds',
        'notary-signing',
      ]);
      for (const { defaultMode, items } of secrets) {
        t.equal(defaultMode, mode, `fsGroup ${fsGroup}`);
        t.equal(items, undefined);
      }
    }
  },
);

t.test('each Secret is mounted where the flags say', async (t) => {
  const given = world('v0.17.2/02b-notary-registry-secrets');
  annotate(given, {
    'notary.kpack.io/v1.caSecretRef': 'notary-ca',
    'notary.kpack.io/v1.rootPin': `${PIN}, ${'c3'.repeat(32)}`,
    'notary.kpack.io/on-failure': 'warn',
  });
  const pod = await inject(given);
  const signer = container(pod, SIGNER);
  const secretAt = (path: string) =>
    volume(pod, mountAt(signer, path)?.name ?? '').secret?.secretName;
  const flags = signerFlags(pod);
  t.equal(secretAt(flags['key-dir']?.[0] ?? ''), 'notary-signing');
  const [caFile = ''] = flags['ca-file'] ?? [];
  t.match(caFile, /\/ca\.crt$/);
  t.equal(secretAt(caFile.replace(/\/ca\.crt$/, '')), 'notary-ca');
  t.equal(flags['notary-credentials']?.length, 1);
  const [host, directory = ''] = (flags['notary-credentials']?.[0] ?? '').split('=');
  t.equal(host, 'notary.example.com:4443');
  t.equal(secretAt(directory), 'notary-creds');
  t.same(flags['root-pin'], [PIN, 'c3'.repeat(32)]);
  t.same(flags['on-failure'], ['warn']);
  t.same(flags['termination-log'], [signer.terminationMessagePath]);
});

t.test('credentials are those that the service account has for this server', async (t) => {
  const servers: Record<string, string> = {
    'as-url': 'https://notary.example.com:4443/',
    'as-host': 'notary.example.com:4443',
    'other-port': 'notary.example.com',
    'other-host': 'https://registry.example.com',
    'no-host': 'https://',
    empty: '',
  };
  const given = world();
  given.serviceAccount.secrets = [
    { name: 'not-there' },
    { name: 'as-host' },
    ...Object.keys(servers).map((name) => ({ name })),
  ];
  for (const [name, server] of Object.entries(servers)) {
    given.secrets.push(secret(name, {}, { 'kpack.io/notary.v1': server }));
  }
  given.secrets.push(secret('not-of-the-account', {}, { 'kpack.io/notary.v1': URL }));
  const pod = await inject(given);
  const mounted = (pod.spec.volumes ?? []).flatMap(({ name, secret }) =>
    name.startsWith('notary-sign-credentials-') ? [secret?.secretName] : [],
  );
  t.same(mounted, ['as-host', 'as-url'], 'in the order of the service account, each once');

  for (const [url, server, isMeant] of [
    ['https://notary.example.com', 'notary.example.com:443', true],
    ['https://notary.example.com:443', 'notary.example.com', true],
    ['https://NOTARY.example.com/base', 'https://Notary.Example.com', true],
    ['https://notary.example.com', 'notary.example.com:4443', false],
    ['https://[::1]:4443', '[::1]:4443', true],
  ] as const) {
    const given = world();
    setSection(given, section(url));
    given.serviceAccount.secrets = [{ name: 'creds' }];
    given.secrets.push(secret('creds', {}, { 'kpack.io/notary.v1': server }));
    const flags = signerFlags(await inject(given));
    t.equal(flags['notary-credentials']?.length, isMeant ? 1 : undefined, `${url}, ${server}`);
  }
});

t.test('a pod without a named service account is one of the account default', async (t) => {
  const given = world();
  delete given.pod.spec.serviceAccountName;
  const account = changed(given.serviceAccount, (account) => {
    (account.metadata as { name: string }).name = 'default';
    account.secrets = [{ name: 'creds' }];
  });
  given.secrets.push(secret('creds', {}, { 'kpack.io/notary.v1': URL }));
  const flags = signerFlags(await inject({ ...given, serviceAccount: account }));
  t.equal(flags['notary-credentials']?.length, 1);
});

t.test('the signing container asks for what the step before it asks for', async (t) => {
  type Resources = NonNullable<Container['resources']>;
  const cases: readonly (readonly [what: string, step: Resources | undefined, ours: Resources])[] =
    [
      [
        'nothing: the settings',
        undefined,
        { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '100m', memory: '128Mi' } },
      ],
      [
        'nothing in it: the settings',
        {},
        { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '100m', memory: '128Mi' } },
      ],
      [
        'everything',
        { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } },
        { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '2', memory: '2Gi' } },
      ],
      [
        'limits alone: they are the requests',
        { limits: { cpu: '50m', memory: '2Gi' } },
        { requests: { cpu: '50m', memory: '2Gi' }, limits: { cpu: '50m', memory: '2Gi' } },
      ],
      [
        'a request above the settings: that is the limit',
        { requests: { cpu: '0.5', memory: '1G' } },
        { requests: { cpu: '0.5', memory: '1G' }, limits: { cpu: '0.5', memory: '1G' } },
      ],
      [
        'a request below the settings: they are the limit',
        { requests: { cpu: '99m', memory: '100M' } },
        { requests: { cpu: '99m', memory: '100M' }, limits: { cpu: '100m', memory: '128Mi' } },
      ],
      [
        'one of each',
        { requests: { cpu: '1' }, limits: { memory: '64Mi' } },
        { requests: { cpu: '1', memory: '64Mi' }, limits: { cpu: '1', memory: '64Mi' } },
      ],
      [
        'other resources too',
        { requests: { 'ephemeral-storage': '1Gi' }, limits: { 'ephemeral-storage': '2Gi' } },
        {
          requests: { 'ephemeral-storage': '1Gi', cpu: '100m', memory: '128Mi' },
          limits: { 'ephemeral-storage': '2Gi', cpu: '100m', memory: '128Mi' },
        },
      ],
    ];
  for (const [what, resources, ours] of cases) {
    const given = world();
    const step = container(given.pod, 'export');
    if (resources) step.resources = resources;
    else delete step.resources;
    const pod = await inject(given);
    t.same(container(pod, SIGNER).resources, ours, what);
    t.same(resourceProblems(container(pod, SIGNER)), []);
    t.same(container(pod, 'export').resources, resources, 'the step keeps its own');
  }
});

t.test('quantities are read as Kubernetes writes them', (t) => {
  const cases: Record<string, number | undefined> = {
    '1': 1,
    '1000m': 1,
    '1.5': 1.5,
    '.5': 0.5,
    '1.': 1,
    '+1': 1,
    '-1': -1,
    '1e3': 1000,
    '1E3': 1000,
    '12e-1': 1.2,
    '1E': 1e18,
    '1Ei': 2 ** 60,
    '1u': 1e-6,
    '1n': 1e-9,
    '1k': 1000,
    '1Ki': 1024,
    '1M': 1e6,
    '1Mi': 2 ** 20,
    '1G': 1e9,
    '1Gi': 2 ** 30,
    '1T': 1e12,
    '1Ti': 2 ** 40,
    '1P': 1e15,
    '1Pi': 2 ** 50,
    '': undefined,
    '.': undefined,
    m: undefined,
    '1K': undefined,
    '1Mb': undefined,
    '1 Gi': undefined,
    '0x10': undefined,
    '1e': undefined,
    NaN: undefined,
    Infinity: undefined,
  };
  for (const [text, number] of Object.entries(cases)) t.equal(parseQuantity(text), number, text);
  t.end();
});

t.test("kpack's own signer is taken over, however its argument is written", async (t) => {
  for (const args of [
    ['-notary-v1-url=https://x.example'],
    ['--notary-v1-url=https://x.example'],
    ['-notary-v1-url', 'https://x.example'],
    ['--notary-v1-url', 'https://x.example'],
  ]) {
    const given = world();
    container(given.pod, 'completion').args = ['-first', ...args, '-last=1'];
    const pod = await inject(given);
    t.same(container(pod, 'completion').args, ['-first', '-last=1'], args.join(' '));
  }
  const given = world();
  container(given.pod, 'completion').args = ['-notary-v1-urls=1', 'notary-v1-url=2'];
  t.same(container(await inject(given), 'completion').args, [
    '-notary-v1-urls=1',
    'notary-v1-url=2',
  ]);
});

t.test(
  "a key that kpack's own signer would have had is taken away, whatever its name",
  async (t) => {
    const given = world();
    volume(given.pod, 'notary-dir').secret = { secretName: 'another-key' };
    const pod = await inject(given);
    t.same(volume(pod, 'notary-dir'), { name: 'notary-dir', emptyDir: {} });
  },
);

/**
 * The Pod Security Standard `restricted` (v1.36) for one container, the context of its pod taken
 * into account, and for the volumes that it mounts.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
function restrictedViolations({ spec }: PodManifest, container: Container): string[] {
  const pod = spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const { add = [], drop = [] } = own.capabilities ?? {};
  const seLinux = [pod.seLinuxOptions, own.seLinuxOptions];
  const appArmor = [pod.appArmorProfile, own.appArmorProfile];
  const seccomp = (own.seccompProfile ?? pod.seccompProfile)?.type ?? '';
  const hooks = [
    container.livenessProbe,
    container.readinessProbe,
    container.startupProbe,
    container.lifecycle?.postStart,
    container.lifecycle?.preStop,
  ];
  const types = (spec.volumes ?? [])
    .filter(({ name }) => container.volumeMounts?.some((mount) => mount.name === name))
    .flatMap((volume) => Object.keys(volume).filter((key) => key !== 'name'));
  const rules: Record<string, boolean> = {
    privileged: own.privileged !== true,
    'host process': !(own.windowsOptions?.hostProcess ?? pod.windowsOptions?.hostProcess ?? false),
    'host namespaces': !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
    capabilities: drop.includes('ALL') && add.every((name) => name === 'NET_BIND_SERVICE'),
    'host ports': (container.ports ?? []).every(({ hostPort }) => !hostPort),
    'hosts of probes': hooks.every((hook) => !hook?.httpGet?.host && !hook?.tcpSocket?.host),
    AppArmor: appArmor.every((it) => !it || ['RuntimeDefault', 'Localhost'].includes(it.type)),
    SELinux: seLinux.every(
      (it) =>
        !it?.user &&
        !it?.role &&
        ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'].includes(
          it?.type ?? '',
        ),
    ),
    '/proc': own.procMount === undefined || own.procMount === 'Default',
    seccomp: ['RuntimeDefault', 'Localhost'].includes(seccomp),
    'privilege escalation': own.allowPrivilegeEscalation === false,
    'non-root': (own.runAsNonRoot ?? pod.runAsNonRoot) === true,
    user: (own.runAsUser ?? pod.runAsUser) !== 0,
    volumes: types.every((type) =>
      [
        'configMap',
        'csi',
        'downwardAPI',
        'emptyDir',
        'ephemeral',
        'persistentVolumeClaim',
        'projected',
        'secret',
      ].includes(type),
    ),
  };
  return Object.entries(rules).flatMap(([rule, isKept]) => (isKept ? [] : [rule]));
}

/** Changes the security context of a container. */
function loosen(container: Container, change: NonNullable<Container['securityContext']>): void {
  Object.assign((container.securityContext ??= {}), change);
}

/** What speaks against a container in a namespace with a ResourceQuota. */
function resourceProblems({ resources }: Container): string[] {
  return ['cpu', 'memory'].flatMap((name) => {
    const request = parseQuantity(resources?.requests?.[name] ?? '') ?? 0;
    const limit = parseQuantity(resources?.limits?.[name] ?? '') ?? 0;
    return request > 0 && limit >= request ? [] : [`${name}: ${request} of ${limit}`];
  });
}

/** The pod without what we document that we add. */
function withoutOurs(pod: PodManifest): PodManifest {
  return changed(pod, ({ metadata, spec }) => {
    spec.initContainers = spec.initContainers?.filter(({ name }) => name !== SIGNER) ?? [];
    spec.volumes = spec.volumes?.filter(({ name }) => !name.startsWith('notary-sign-')) ?? [];
    delete metadata.annotations?.['notary.kpack.io/injected'];
  });
}

/** The pod as kpack would have made it without a notary section. */
function withoutKpackSigner(pod: PodManifest): PodManifest {
  return changed(pod, (pod) => {
    const completion = container(pod, 'completion');
    const args = completion.args?.filter((arg) => !arg.startsWith('-notary-v1-url='));
    if (args) completion.args = args;
    pod.spec.volumes = (pod.spec.volumes ?? []).map((volume) =>
      volume.name === 'notary-dir' ? { name: 'notary-dir', emptyDir: {} } : volume,
    );
    pod.metadata.annotations ??= {};
  });
}

/** A pod that kpack made before there were reports. */
function withoutReport(pod: PodManifest, api: string | undefined): void {
  pod.spec.volumes = pod.spec.volumes?.filter(({ name }) => name !== 'report-dir') ?? [];
  for (const each of allContainers(pod)) {
    each.volumeMounts = each.volumeMounts?.filter(({ name }) => name !== 'report-dir') ?? [];
    const args = each.args?.filter((arg) => arg !== '--report' && !arg.includes(REPORT));
    if (args) each.args = args;
    const env = each.env?.filter(({ name }) => name !== 'CNB_PLATFORM_API') ?? [];
    each.env = api === undefined ? env : [...env, { name: 'CNB_PLATFORM_API', value: api }];
  }
}

/** What defaulting, ServiceAccount, LimitRanger and AlwaysPullImages make of a pod after us. */
function afterOtherPlugins(pod: PodManifest): PodManifest {
  const rewritten: Record<string, string> = { '1500m': '1.5', '1000m': '1', '2Gi': '2048Mi' };
  return changed(pod, ({ spec, ...pod }) => {
    Object.assign(pod.metadata, { creationTimestamp: null });
    Object.assign(spec, {
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      preemptionPolicy: 'PreemptLowerPriority',
      priority: 0,
      schedulerName: 'default-scheduler',
      serviceAccount: spec.serviceAccountName,
      terminationGracePeriodSeconds: 30,
    });
    (spec.tolerations ??= []).push({ key: 'node.kubernetes.io/not-ready', operator: 'Exists' });
    for (const volume of spec.volumes ?? []) {
      if (volume.secret) volume.secret.defaultMode ??= 0o644;
    }
    (spec.volumes ??= []).push({
      name: 'kube-api-access-x7k2p',
      projected: { defaultMode: 0o644, sources: [{ serviceAccountToken: { path: 'token' } }] },
    });
    for (const each of [...(spec.initContainers ?? []), ...spec.containers]) {
      each.terminationMessagePath ??= '/dev/termination-log';
      each.terminationMessagePolicy ??= 'File';
      each.imagePullPolicy = 'Always';
      const mounts = (each.volumeMounts ??= []);
      if (!mounts.some(({ mountPath }) => mountPath === TOKEN_PATH)) {
        mounts.unshift({ name: 'kube-api-access-x7k2p', mountPath: TOKEN_PATH, readOnly: true });
      }
      mounts.unshift({ name: 'mesh', mountPath: '/var/run/mesh' });
      (each.env ??= []).unshift({ name: 'REGION', value: 'eu' });
      each.resources ??= {};
      for (const quantities of [(each.resources.limits ??= {}), (each.resources.requests ??= {})]) {
        for (const [name, quantity] of Object.entries(quantities)) {
          quantities[name] = rewritten[quantity] ?? quantity;
        }
        quantities['ephemeral-storage'] ??= '2Gi';
      }
    }
  });
}

function mountAt({ volumeMounts }: Container, path: string) {
  return volumeMounts?.find(({ mountPath }) => mountPath === path);
}

/** @throws Error where there is none */
function volume({ spec }: PodManifest, name: string) {
  const found = spec.volumes?.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no volume ${name}`);
  return found;
}

function volumesWithSecret({ spec }: PodManifest, name: string): string[] {
  return (spec.volumes ?? []).filter((it) => it.secret?.secretName === name).map((it) => it.name);
}
