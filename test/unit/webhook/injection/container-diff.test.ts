import t from 'tap';
import {
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  DEVELOPER_V2,
  PIN,
  type PodManifest,
  setSection,
  URL,
} from '../../../support/build-fixture.ts';
import { inject, mutate, validate, verdictOf } from '../../../support/asking.ts';
import {
  container,
  initContainers,
  loosen,
  REPORT,
  SIGNER,
  volume,
  type Container,
} from '../../../support/pod.ts';

/** Another replica. */
const OTHER = { placement: { image: 'registry.example.com/signer:next', cpu: '1', memory: '1' } };
const HOOK = { postStart: { exec: { command: ['true'] } } };

t.test('a signing container that a neighbour changed is refused for good', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  annotate(given, {
    'notary.kpack.io/v1.caSecretRef': 'notary-ca',
    'notary.kpack.io/v1.rootPin': PIN,
    ...DEVELOPER_V2,
    'notary.kpack.io/v2.registryCaSecretRef': 'registry-ca',
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
    'a v2 key volume with another Secret': (_, pod) => {
      volume(pod, 'notary-sign-v2-key').secret = { secretName: 'other', defaultMode: 0o440 };
    },
    'a timestamp server of somebody else': (signer) => {
      signer.args = (signer.args ?? []).map((arg) => arg.replace('timestamp.', 'evil.'));
    },
    'no timestamp': (signer) => {
      signer.args = (signer.args ?? []).filter((arg) => !arg.startsWith('--v2-timestamp'));
    },
    'v2 that may fail': (signer) => {
      signer.args = (signer.args ?? []).map((arg) =>
        arg.replace('--v2-on-failure=fail', '--v2-on-failure=warn'),
      );
    },
    'no v2 at all': (signer) => {
      signer.args = (signer.args ?? []).filter((arg) => !arg.startsWith('--v2-'));
    },
    'a CA of the registry from another Secret': (_, pod) => {
      volume(pod, 'notary-sign-registry-ca').secret = { secretName: 'x', defaultMode: 0o440 };
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
  t.ok(Object.keys(cases).length > 60);
  for (const [what, change] of Object.entries(cases)) {
    const pod = changed(injected, (pod) => change(container(pod, SIGNER), pod));
    t.notSame(pod, injected);
    t.equal(verdictOf(await validate(given, pod)), '422 SIGNER_TAMPERED', what);
    const asked = await validate(given, pod, { settings: OTHER });
    t.equal(verdictOf(asked), '503 SIGNER_DIFFERS', `${what}, asked of other settings`);
    if (/key for kpack|kpack to sign/.test(what)) continue;
    t.equal(verdictOf(await mutate(given, { pod })), '422 SIGNER_TAMPERED', `mutate: ${what}`);
  }
});

t.test('a refusal names the field that a neighbour changed', async (t) => {
  const given = buildFixture();
  const injected = await inject(given);
  const cases: readonly (readonly [RegExp, (signer: Container, pod: PodManifest) => void])[] = [
    [/: notary-sign\.image has been changed\./, (signer) => (signer.image = 'other')],
    [/: notary-sign\.command\.0 has been changed\./, (signer) => signer.command?.unshift('/wrap')],
    [/: notary-sign\.args\.0 has been changed\./, (signer) => signer.args?.unshift('--dry-run')],
    [/: notary-sign\.lifecycle has been changed\./, (signer) => (signer.lifecycle = HOOK)],
    [
      /: notary-sign\.securityContext\.privileged has been changed\./,
      (signer) => loosen(signer, { privileged: true }),
    ],
    [
      /: volume notary-sign-no-token\.hostPath has been changed\./,
      (_, pod) => Object.assign(volume(pod, 'notary-sign-no-token'), { hostPath: { path: '/x' } }),
    ],
  ];
  for (const [words, change] of cases) {
    const pod = changed(injected, (pod) => change(container(pod, SIGNER), pod));
    t.match((await validate(given, pod)).status?.message, words);
  }
});

t.test(
  'what the cluster says decides too, and may have changed: the pod is posted again',
  async (t) => {
    const facts: Record<string, (given: BuildFixture) => void> = {
      'another server': (given) =>
        setSection(given, {
          v1: { url: 'https://x.example.com', secretRef: { name: 'notary-signing' } },
        }),
      'a pin': (given) => annotate(given, { 'notary.kpack.io/v1.rootPin': PIN }),
      'a CA': (given) => annotate(given, { 'notary.kpack.io/v1.caSecretRef': 'notary-ca' }),
      'a failure that is a warning': (given) =>
        annotate(given, { 'notary.kpack.io/on-failure': 'warn' }),
      'credentials that went': (given) => (given.serviceAccount.secrets = []),
      'another tag': (given) => (given.build.spec['tags'] = ['registry.example.com/team/other']),
    };
    for (const [what, change] of Object.entries(facts)) {
      const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
      const pod = await inject(given);
      change(given);
      t.equal(verdictOf(await validate(given, pod)), '503 SIGNER_DIFFERS', what);
      t.equal(verdictOf(await mutate(given, { pod })), '503 SIGNER_DIFFERS', `mutate: ${what}`);
      t.equal(verdictOf(await validate(given, await inject(given))), 'allowed', 'posted again');
    }
  },
);

t.test('the annotation allows nothing: of a pod without it, as much is asked', async (t) => {
  const given = buildFixture();
  const injected = await inject(given);
  const mark = injected.metadata.annotations?.['notary.kpack.io/injected'];
  const bare = changed(injected, (pod) => delete pod.metadata.annotations);
  t.equal(verdictOf(await validate(given, bare)), 'allowed', 'it is the container that counts');
  const swap = (pod: PodManifest) => (container(pod, SIGNER).image = 'other');
  t.equal(verdictOf(await validate(given, changed(bare, swap))), '503 SIGNER_DIFFERS');
  const marked = changed(given.pod, ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, 'notary.kpack.io/injected': mark ?? '' };
  });
  t.equal(verdictOf(await validate(given, marked)), '503 SIGNER_MISSING', 'marked, and not there');
  t.equal(verdictOf(await mutate(given, { pod: marked })), 'patched');
});

t.test('a signing container that was given more rights or less to read is refused', async (t) => {
  const given = buildFixture('v0.17.2/02b-notary-registry-secrets');
  const injected = await inject(given);
  const cases: Record<string, (signer: Container, pod: PodManifest) => void> = {
    'capabilities added': (signer) => {
      loosen(signer, { capabilities: { drop: ['ALL'], add: ['SYS_PTRACE'] } });
    },
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
    t.equal(verdictOf(await validate(given, pod)), '422 SIGNER_TAMPERED', what);
  }
});

t.test('what steers the signer or loads code into it is refused for good', async (t) => {
  const given = buildFixture();
  const injected = await inject(given);
  const cases: Record<string, (signer: Container) => void> = {
    'it is to run as root': (signer) => loosen(signer, { runAsUser: 0 }),
    'certificates are not to be checked': (signer) => {
      signer.env = [{ name: 'NODE_TLS_REJECT_UNAUTHORIZED', value: '0' }];
    },
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
    'variables come from a Secret': (signer) => {
      signer.envFrom = [{ secretRef: { name: 'developer' } }];
    },
    'another program is mounted over ours': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/app' });
    },
    'another program is mounted over the directory above ours': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/' });
    },
    'another program is mounted over ours, by a detour': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/var/../app/signer.cjs' });
    },
    'another Node.js is mounted over that of the image': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/usr/local/bin/node' });
    },
    'a library is to be preloaded': (signer) => {
      signer.volumeMounts?.push({ name: 'workspace-dir', mountPath: '/etc/ld.so.preload' });
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
    for (const response of [await validate(given, pod), await mutate(given, { pod })]) {
      t.equal(verdictOf(response), '422 SIGNER_TAMPERED', what);
      t.match(
        response.status?.message,
        /notary-sign (has|is to) .*Fix: Have the webhook that changes/,
      );
    }
    // Whoever else is behind our address may be the one who made it.
    const asked = await validate(given, pod, { settings: OTHER });
    t.equal(verdictOf(asked), '503 SIGNER_DIFFERS', `${what}, asked of another version`);
  }
});
