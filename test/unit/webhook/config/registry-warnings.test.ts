import t from 'tap';
import type { ListedObject } from '../../../../src/shared/kubernetes/cluster.ts';
import { explain } from '../../../../src/webhook/explain/explain.ts';
import { KPACK_USER } from '../../../bed/webhook.ts';
import {
  ADMIN,
  ADMIN_V2,
  type Manifest,
  manifestsOf,
  P,
  secret,
  signingNamespace,
  unconfiguredBuild,
} from '../../../support/build-fixture.ts';
import { ask, memoryCluster, mutate } from '../../../support/asking.ts';
import { objectThatSays } from '../../../support/notary-rule.ts';
import { container } from '../../../support/pod.ts';

const TOLD =
  /has no docker Secret for ([^,]+), and workload identity is not supported yet\. Add such/;
const registriesIn = (warnings: readonly string[] = []) =>
  warnings.flatMap((text) => TOLD.exec(text)?.[1] ?? []);
const KEY = { [`${P}v2.secretRef`]: 'notary-v2-signing' };

t.test('a build pod tells for which registry it has no docker Secret', async (t) => {
  const registry = 'registry.example.com';
  const cases: Record<string, readonly [argument: string | undefined, told: readonly string[]]> = {
    nothing: [undefined, [registry]],
    'its registry': [`-basic-docker=creds=${registry}`, []],
    'its registry, as a URL': [`-basic-docker=creds=https://${registry}/v2/`, []],
    'another registry': ['-basic-docker=creds=other.example.com', [registry]],
    'a docker configuration, which names registries itself': ['-dockerconfig=creds', []],
    'an old docker configuration': ['-dockercfg=creds', []],
    'a git server': [`-basic-git=creds=https://${registry}`, [registry]],
  };
  for (const [what, [argument, told]] of Object.entries(cases)) {
    const given = unconfiguredBuild(ADMIN_V2);
    if (argument !== undefined) {
      const prepare = container(given.pod, 'prepare');
      (prepare.args ??= []).unshift(argument);
      given.pod.spec.volumes?.push({ name: 'creds', secret: { secretName: 'creds' } });
      prepare.volumeMounts?.push({ name: 'creds', mountPath: '/var/build-secrets/creds' });
    }
    t.same(registriesIn((await mutate(given)).warnings), told, what);
  }
  const v1 = unconfiguredBuild(ADMIN);
  t.same(registriesIn((await mutate(v1)).warnings), [], 'v1 alone pushes nothing there');
});

/** Service accounts, by what their Secrets may be for. */
const SECRETS: readonly Manifest[] = [
  secret('hub', {}, { 'kpack.io/docker': 'https://index.docker.io/v1/' }),
  secret('registry', {}, { 'kpack.io/docker': 'registry.example.com' }),
  secret('git', {}, { 'kpack.io/git': 'https://registry.example.com' }),
  secret('notary', {}, { 'kpack.io/notary.v1': 'https://registry.example.com' }),
  secret('token', {}, { 'kubernetes.io/service-account.name': 'builder' }),
  secret('docker-config', {}),
];
const accountOf = (...names: readonly string[]): Manifest =>
  ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'builder', namespace: 'apps' },
    secrets: names.map((name) => ({ name })),
  }) as Manifest;

t.test(
  'an Image tells it by the Secrets of its service account, and so does explain',
  async (t) => {
    const registry = 'registry.example.com';
    const cases: readonly (readonly [
      tags: readonly [string, ...string[]],
      account: readonly string[],
      told: readonly string[],
    ])[] = [
      [[`${registry}/app`], [], [registry]],
      [[`${registry}/app`], ['git', 'notary', 'token', 'hub', 'not-there'], [registry]],
      [[`${registry}/app`, `${registry}/other:1`], ['git'], [registry]],
      [[`${registry}/app`], ['registry'], []],
      [[`${registry}/app`], ['docker-config'], []],
      [
        [`${registry}/app`, 'b.example.com/app', 'c.example.com/app'],
        [],
        [`${registry} and 2 more`],
      ],
      [[`${registry}/app`, 'b.example.com/app'], ['registry'], ['b.example.com']],
      [['team/app'], ['hub'], []],
      [['docker.io/team/app:1'], ['registry'], ['docker.io']],
      [['not a tag'], [], []],
    ];
    for (const [[tag, ...additionalTags], account, told] of cases) {
      const object = objectThatSays('Image', 'kpack.io/v1alpha2', { annotations: KEY });
      Object.assign(object.spec ?? {}, { tag, additionalTags });
      const manifests = [signingNamespace(), accountOf(...account), ...SECRETS];
      const cluster = memoryCluster(manifests);
      const what = `${tag}: ${account.join()}`;
      const answer = await ask('validate', object, cluster, { username: 'developer' });
      t.same(registriesIn(answer.warnings), told, what);
      const settings = {
        namespace: 'apps',
        kpackUsers: [KPACK_USER],
        signerImage: undefined,
      } as const;
      const { warnings } = await explain(object as unknown as ListedObject, cluster, settings);
      t.same(registriesIn(warnings), told, `explain ${what}`);
    }
  },
);

t.test('where nobody has looked at the Secrets, nothing is said to be missing', async (t) => {
  const many = accountOf(...Array.from({ length: 300 }, (_, i) => `s${i}`));
  const cluster = memoryCluster([signingNamespace(), many]);
  const object = objectThatSays('Image', 'kpack.io/v1alpha2', { annotations: KEY });
  const { warnings } = await ask('validate', object, cluster, { username: 'developer' });
  t.same(registriesIn(warnings), []);
  const settings = { namespace: 'apps', kpackUsers: [KPACK_USER], signerImage: undefined } as const;
  const explained = await explain(object as unknown as ListedObject, cluster, settings);
  t.equal(explained.outcome, 'signed');
  t.same(registriesIn(explained.warnings), []);
});

t.test('explain of a pod that is there tells by its own arguments', async (t) => {
  const given = unconfiguredBuild(ADMIN_V2);
  given.serviceAccount.secrets = [{ name: 'docker-config' }];
  given.secrets.push(secret('docker-config', {}));
  const settings = { namespace: 'apps', kpackUsers: [KPACK_USER], signerImage: undefined } as const;
  const cluster = memoryCluster(manifestsOf(given));
  const { warnings } = await explain(given.pod as unknown as ListedObject, cluster, settings);
  t.same(registriesIn(warnings), ['registry.example.com']);
});
