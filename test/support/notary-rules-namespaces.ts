/** What a Namespace may say. */
import { ON_NAMESPACES, rule, annotated, on, type NotaryRule, type Words } from './notary-rule.ts';
import { P, URL } from './build-fixture.ts';

const label = (value: string, name = 'signing'): Words => ({ labels: { [P + name]: value } });
const LABEL_FIELD = `metadata.labels[${P}signing]`;

export const NAMESPACES: readonly NotaryRule[] = [
  ...(
    [
      ['a label in upper case', 'Enabled', 'enabled', 'expected enabled (did you mean that?)'],
      ['a mistyped label', 'enable', 'enabled', 'expected enabled (did you mean that?)'],
      ['a label that says audited', 'audited', 'audit', 'expected audit (did you mean that?)'],
      [
        'a label that says disable',
        'disable',
        'disabled',
        'expected disabled (did you mean that?)',
      ],
      ['a label that says true', 'true', 'enabled', 'expected enabled, audit, or disabled'],
      ['an empty label', '', 'disabled', 'found ""'],
    ] as const
  ).map(([name, rejected, accepted, told]) =>
    rule(
      ON_NAMESPACES,
      name,
      'nobody knows whether it opts in',
      label(rejected),
      label(accepted),
      LABEL_FIELD,
      told,
    ),
  ),
  rule(
    ON_NAMESPACES,
    'a mistyped name of the label',
    'the namespace would stay unsigned without a word',
    label('enabled', 'singing'),
    label('enabled'),
    `metadata.labels[${P}singing]`,
    `expected ${P}signing`,
  ),
  rule(
    ON_NAMESPACES,
    'a label for an annotation',
    'only annotations say how to sign',
    label('notary-signing', 'v1.secretRef'),
    annotated({ 'v1.url': URL, 'v1.secretRef': 'notary-signing' }),
    `metadata.labels[${P}v1.secretRef]`,
    'an annotation of that name',
  ),
].map((given) => ({ ...given, code: 'NAMESPACE_LABEL_INVALID' as const }));

export const NAMESPACE_ANNOTATIONS: readonly NotaryRule[] = [
  rule(
    ON_NAMESPACES,
    'opting in by annotation',
    'it is a label',
    annotated({ signing: 'enabled' }),
    label('enabled'),
    on('signing'),
    'a label of that name',
  ),
];
