/** Ways to the key of the Namespace, and to kpack's own signer, for an Image that is not signed with it. */
import {
  ADMIN,
  type BuildFixture,
  DEVELOPER,
  P,
  type PodManifest,
  section,
} from '../../support/build-fixture.ts';
import {
  invalid,
  KEY_SECRET,
  postedPodCase,
  refused,
  written,
  type Abuse,
  type Ending,
} from './abuse-case.ts';
import { container, volume } from '../../support/pod.ts';

const OPTED_OUT = { [`${P}signing`]: 'disabled' };
const EVIL_URL = 'https://evil.example.com';
const ADMIN_KEY = ADMIN[`${P}v1.secretRef`];

/** The Image says this instead, and so do the Build and the pod that kpack made of it. */
const says =
  (annotations: Record<string, string>, notary?: ReturnType<typeof section>) =>
  ({ image, build, pod }: BuildFixture): void => {
    for (const object of [image, build, pod]) if (object) object.metadata.annotations = annotations;
    if (notary) bySection([image, build], pod, notary);
  };

/** As kpack does with a section: its own signer stands in completion. */
function bySection(
  objects: readonly BuildFixture['image'][],
  pod: PodManifest,
  notary: ReturnType<typeof section>,
): void {
  for (const object of objects) if (object) object.spec['notary'] = notary;
  const { url, secretRef } = notary.v1 as { url: string; secretRef: { name: string } };
  (container(pod, 'completion').args ??= []).unshift(`-notary-v1-url=${url}`);
  const keys = volume(pod, 'notary-dir');
  delete keys.emptyDir;
  keys.secret = { secretName: secretRef.name };
}

const exposed: Ending = refused('SECRET_EXPOSED', new RegExp(`Secret ${ADMIN_KEY}`));

/** What an Image may plan, without the key of the Namespace. */
const PLANS = {
  'opts out': says(OPTED_OUT),
  'has a unit of its own': says(DEVELOPER),
  'opts out, with a section': says(OPTED_OUT, section()),
} as const;

/** The key in the pod as kpack puts it there. */
const WAYS: Record<string, (pod: PodManifest) => void> = {
  'a service binding': (pod) => {
    pod.spec.volumes?.push({ name: 'binding-x', secret: { secretName: ADMIN_KEY } });
    const mount = { name: 'binding-x', mountPath: '/platform/bindings/x', readOnly: true };
    for (const step of ['detect', 'build']) container(pod, step).volumeMounts?.push(mount);
  },
  'a variable': (pod) =>
    container(pod, 'prepare').env?.push({
      name: 'PLATFORM_ENV_X',
      valueFrom: { secretKeyRef: { name: ADMIN_KEY, key: 'root.key' } },
    }),
};

/** Puts an annotation for cosign at the end of what completion is told, as kpack does. */
function annotateCosign(pod: PodManifest, text: string): void {
  const completion = container(pod, 'completion');
  const flag = `-cosign-annotations=team=${text}`;
  const { args = [] } = completion;
  completion.args = args.some((arg) => arg.startsWith('-execute='))
    ? args.map((arg) => (arg.startsWith('-execute=') ? `${arg} ${flag}` : arg))
    : [...args, flag];
}

const WAITING = 'v0.17.2/07-standard-containers';
const STRAY = 'x -basic-docker=git-basic=evil.example.com';

export const NAMESPACE_CASES: readonly Abuse[] = [
  ...Object.entries(PLANS).flatMap(([plan, prepare]) =>
    Object.entries(WAYS).map(([way, change]): Abuse => ({
      ...postedPodCase(`the Namespace's key by ${way} of an Image that ${plan}`, change, exposed),
      admin: ADMIN,
      prepare,
    })),
  ),
  written(
    "the Namespace's key with another url, opted out, as it is written",
    { notary: section(EVIL_URL, { name: ADMIN_KEY }), annotations: OPTED_OUT },
    invalid(/expected "https:\/\/admin.example.com", as the Namespace/),
    ADMIN,
  ),
  {
    ...postedPodCase(
      "the Namespace's key with another url, opted out, for kpack's own signer",
      () => undefined,
      invalid(/expected "https:\/\/admin.example.com", as the Namespace/),
    ),
    admin: ADMIN,
    isMissed: true,
    prepare: says(OPTED_OUT, section(EVIL_URL, { name: ADMIN_KEY })),
  },
  {
    ...postedPodCase("kpack's own signer where the Image opts out", () => undefined, {
      left: /left unsigned: .*\n.*removes kpack's own Notary signature as well/,
    }),
    prepare: says(OPTED_OUT, section(EVIL_URL, { name: KEY_SECRET })),
  },
  {
    ...postedPodCase(
      "a second server for kpack's own signer, out of a cosign annotation",
      (pod) => annotateCosign(pod, `x -notary-v1-url=${EVIL_URL}`),
      refused('ARGUMENTS_AMBIGUOUS', /completion has 2 arguments -notary-v1-url/),
    ),
    fixture: WAITING,
    prepare: ({ pod }) => annotateCosign(pod, `x -notary-v1-url=${EVIL_URL}`),
  },
  {
    ...postedPodCase(
      'credentials for another host, out of a cosign annotation',
      (pod) => annotateCosign(pod, STRAY),
      refused('ARGUMENTS_AMBIGUOUS', /completion has the argument -basic-docker=/),
    ),
    fixture: WAITING,
  },
  postedPodCase('the same where it is one argument', (pod) => annotateCosign(pod, STRAY), {
    signed: { 'on-failure': ['fail'] },
  }),
];
