/** Changes of a pod that has been admitted. */
import { demand } from '../../bed/kube-client.ts';
import { P, type PodManifest } from '../../support/build-fixture.ts';
import { admitted, MALLORY, refused, type Abuse, type Ending } from './abuse-case.ts';
import { container, SIGNER } from '../../support/pod.ts';

const denied = (words: RegExp): Ending => refused('POD_CHANGE_REFUSED', words);
const ours = (annotation: string): Ending =>
  denied(new RegExp(`the annotation ${P}${annotation} belongs to kpack-notary alone`));

/** A pod whose annotations, or labels, become what they are not. */
const metadataCase = (
  name: string,
  field: 'labels' | 'annotations',
  key: string,
  value: string | undefined,
  ends: Ending,
): Abuse =>
  admitted(
    name,
    ({ metadata }: PodManifest) => {
      const { [key]: _, ...others } = metadata[field] ?? {};
      metadata[field] = value === undefined ? others : { ...others, [key]: value };
    },
    ends,
  );

/** The same for a build whose steps are standard containers. */
const waiting = (abuse: Abuse): Abuse => ({ ...abuse, fixture: 'v0.17.2/07-standard-containers' });

/** The same for a pod that is left unsigned, as its Image wants it. */
const unsigned = (abuse: Abuse): Abuse => ({
  ...abuse,
  prepare: ({ image, build }) => {
    for (const object of [image, build]) {
      if (object) object.metadata.annotations = { [`${P}signing`]: 'disabled' };
    }
  },
});

export const CHANGE_CASES: readonly Abuse[] = [
  admitted(
    'our image swapped after admission',
    (pod) => (container(pod, SIGNER).image = 'registry.example.com/evil'),
    denied(/the image of notary-sign would become registry.example.com\/evil/),
  ),
  ...['export', 'build', 'prepare', 'completion'].map((step) =>
    admitted(
      `the image of the step ${step} swapped after admission`,
      (pod) => (container(pod, step).image = 'registry.example.com/evil'),
      denied(new RegExp(`the image of ${step} would become registry.example.com/evil`)),
    ),
  ),
  ...['pre-start', 'completion', SIGNER].map((step) =>
    waiting(
      admitted(
        `the image of ${step} swapped after admission, among standard containers`,
        (pod) => (container(pod, step).image = 'registry.example.com/evil'),
        denied(new RegExp(`the image of ${step} would become registry.example.com/evil`)),
      ),
    ),
  ),
  admitted(
    'an image swapped for another tag of it, with a digest',
    (pod) => {
      const step = container(pod, 'build');
      step.image = `${step.image?.replace(/[:@].*/, '')}:other@sha256:${'ab'.repeat(32)}`;
    },
    denied(/the image of build would become \S+:other@sha256:/),
  ),
  waiting(
    admitted(
      'our container starved after admission',
      (pod) =>
        (container(pod, SIGNER).resources = {
          requests: { cpu: '1m', memory: '1Mi' },
          limits: { cpu: '1m', memory: '1Mi' },
        }),
      denied(/the resources of notary-sign would be changed/),
      { subresource: 'resize' },
    ),
  ),
  {
    name: "our image swapped by kpack's own account",
    play: async ({ cluster, pod }) => {
      const stored = demand(await cluster.post(pod));
      container(stored, SIGNER).image = 'registry.example.com/evil';
      return cluster.api.update(stored, {
        ...MALLORY,
        as: 'system:serviceaccount:kpack:controller',
      });
    },
    ends: denied(/the image of notary-sign would become/),
  },
  metadataCase(
    'what says that we were there taken off',
    'annotations',
    `${P}injected`,
    undefined,
    ours('injected'),
  ),
  metadataCase(
    'what says that we were there changed',
    'annotations',
    `${P}injected`,
    '0',
    ours('injected'),
  ),
  metadataCase('a signed pod called unsigned', 'annotations', `${P}skipped`, 'x', ours('skipped')),
  unsigned(
    metadataCase(
      'an unsigned pod called signed',
      'annotations',
      `${P}injected`,
      '1',
      ours('injected'),
    ),
  ),
  unsigned(
    metadataCase(
      'why a pod is unsigned taken off',
      'annotations',
      `${P}skipped`,
      undefined,
      ours('skipped'),
    ),
  ),
  metadataCase(
    "kpack's label taken off",
    'labels',
    'kpack.io/build',
    undefined,
    denied(/the label kpack.io\/build is how later changes/),
  ),
  metadataCase(
    "kpack's label changed",
    'labels',
    'kpack.io/build',
    'another',
    denied(/the label kpack.io\/build is how later changes/),
  ),
];
