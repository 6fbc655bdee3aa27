/** Ways to configure signing, each with what becomes of a build pod. */
import {
  ADMIN,
  ADMIN_V2,
  annotate,
  type BuildFixture,
  DEVELOPER,
  DEVELOPER_V2,
  OTHER_PIN,
  P,
  setSection,
  URL,
} from '../../support/build-fixture.ts';

/** What of a fixture decides. */
export interface Shape {
  readonly hasSection: boolean;
  readonly isWindows: boolean;
}

/** Signed by a key; left with a reason on the pod and a warning; refused with a code. */
export type Outcome =
  | { readonly key: string }
  | { readonly left: string; readonly warning: string }
  | { readonly refused: string };

/** One way to configure. */
export interface Way {
  /** Of the namespace; `enabled` otherwise. */
  readonly label?: string;
  /** Annotations of the Namespace. */
  readonly namespace?: Record<string, string>;
  readonly change?: (build: BuildFixture) => void;
  /** Whether it is stored only while nobody validates. */
  readonly malformed?: boolean;
  /** Of the signing container, as far as they depend on the way. */
  readonly flags?: readonly string[];
  readonly expect: (shape: Shape) => Outcome;
}

const silent = (build: BuildFixture) => {
  delete build.build.spec['notary'];
  delete build.image?.spec['notary'];
};
const sectioned = (build: BuildFixture) =>
  setSection(build, { v1: { url: URL, secretRef: { name: 'notary-signing' } } });

const signed =
  (key: string) =>
  ({ isWindows }: Shape): Outcome =>
    isWindows ? { refused: 'POD_UNSUPPORTED' } : { key };
const left = (reason: string) => (): Outcome => ({ left: reason, warning: 'left unsigned' });
const refused = (code: string) => (): Outcome => ({ refused: code });
const nothing = left('neither Image nor Namespace has a notary section');
const invalid = refused('NOTARY_CONFIG_INVALID');

export const WAYS: Readonly<Record<string, Way>> = {
  'as it is': {
    expect: (shape) => (shape.hasSection ? signed('notary-signing')(shape) : nothing()),
  },
  annotations: {
    change: (build) => {
      silent(build);
      annotate(build, DEVELOPER);
    },
    namespace: ADMIN,
    flags: ['--notary-url=https://developer.example.com'],
    expect: signed('developer-key'),
  },
  'the Namespace': {
    change: silent,
    namespace: ADMIN,
    flags: ['--notary-url=https://admin.example.com'],
    expect: signed('admin-key'),
  },
  'a section above the Namespace': {
    change: sectioned,
    namespace: ADMIN,
    flags: [`--notary-url=${URL}`],
    expect: signed('notary-signing'),
  },
  'v2 of the Namespace alone': {
    change: silent,
    namespace: ADMIN_V2,
    flags: [
      '--v2-key-dir=/var/notary-sign/v2-key',
      '--v2-timestamp-url=https://timestamp.admin.example.com',
    ],
    expect: signed('admin-v2-key'),
  },
  "the Namespace's v2 beside a section": {
    change: sectioned,
    namespace: ADMIN_V2,
    flags: [`--notary-url=${URL}`, '--v2-key-dir=/var/notary-sign/v2-key'],
    expect: signed('admin-v2-key'),
  },
  'everything there is': {
    change: (build) => {
      silent(build);
      annotate(build, {
        ...DEVELOPER,
        [`${P}v1.rootPin`]: OTHER_PIN,
        [`${P}v1.caSecretRef`]: 'developer-ca',
        [`${P}on-failure`]: 'warn',
        ...DEVELOPER_V2,
        [`${P}v2.registryCaSecretRef`]: 'registry-ca',
        [`${P}v2.on-failure`]: 'warn',
      });
    },
    flags: [
      '--v2-on-failure=warn',
      '--registry-ca-file=/var/notary-sign/registry-ca/ca.crt',
      `--root-pin=${OTHER_PIN}`,
      '--ca-file=/var/notary-sign/ca/ca.crt',
      '--on-failure=warn',
    ],
    expect: signed('developer-key'),
  },
  'nothing at all': { change: silent, expect: nothing },
  'opting out': {
    change: (build) => {
      silent(build);
      annotate(build, { [`${P}signing`]: 'disabled' });
    },
    namespace: ADMIN,
    expect: left('signing: disabled on the'),
  },
  'half a unit': {
    change: (build) => {
      silent(build);
      annotate(build, { [`${P}v1.url`]: 'https://developer.example.com' });
    },
    namespace: ADMIN,
    malformed: true,
    expect: invalid,
  },
  'half a unit of the Namespace': {
    change: silent,
    namespace: { [`${P}v1.secretRef`]: 'admin-key' },
    malformed: true,
    expect: invalid,
  },
  'section and annotations that contradict': {
    change: (build) => {
      sectioned(build);
      annotate(build, DEVELOPER);
    },
    malformed: true,
    expect: invalid,
  },
  'an empty section': {
    change: (build) => setSection(build, {}),
    malformed: true,
    expect: invalid,
  },
  "a pin that the admin's does not allow": {
    change: (build) => {
      sectioned(build);
      annotate(build, { [`${P}v1.rootPin`]: OTHER_PIN });
    },
    namespace: { [`${P}v1.rootPin`]: 'a1'.repeat(32) },
    malformed: true,
    expect: invalid,
  },
  'a mistyped label': {
    label: 'enable',
    change: sectioned,
    malformed: true,
    expect: refused('NAMESPACE_LABEL_INVALID'),
  },
  'audit of what would be signed': {
    label: 'audit',
    change: sectioned,
    expect: ({ isWindows }) => ({
      left: '',
      warning: isWindows ? 'audit: would be refused' : 'audit: the pod would be changed',
    }),
  },
  'audit of what would be refused': {
    label: 'audit',
    change: (build) => {
      silent(build);
      annotate(build, { [`${P}v1.url`]: 'https://developer.example.com' });
    },
    malformed: true,
    expect: () => ({ left: '', warning: 'audit: would be refused' }),
  },
};
