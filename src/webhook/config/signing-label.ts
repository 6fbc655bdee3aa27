import { ANNOTATION, PREFIX, SIGNING } from '../../shared/names.ts';
import {
  problem,
  readOneOf,
  sortedEntries,
  type ConfigProblem,
  type Findings,
  type ConfigSource,
} from './notary-field.ts';
import { annotationLine } from './notary-members.ts';
import { cut } from '../../shared/shown-value.ts';

/** The values of the label that opts a namespace in. */
const SIGNING_LABELS = ['enabled', 'audit', 'disabled'] as const;

const ANNOTATIONS: readonly string[] = Object.values(ANNOTATION);

/** What is wrong with the labels of a Namespace: who mistypes one would be left unsigned silently. */
export function labelProblems({ kind, name, labels }: ConfigSource): readonly ConfigProblem[] {
  const findings: Findings = { object: `${kind} ${name}`, problems: [], warnings: [] };
  for (const [label, value] of sortedEntries(labels)) {
    const field = `metadata.labels[${cut(label)}]`;
    if (label === SIGNING) readOneOf(findings, field, value, SIGNING_LABELS);
    else if (ANNOTATIONS.includes(label)) {
      problem(findings, field, 'a label', 'an annotation of that name', annotationLine(label));
    } else if (label.startsWith(PREFIX)) {
      problem(findings, field, 'an unknown label', SIGNING, `${SIGNING}: enabled`);
    }
  }
  return findings.problems;
}

/** What the namespace label says. */
export type SigningMode = 'enabled' | 'audit' | 'off' | 'invalid';

export function signingMode({ labels }: ConfigSource): SigningMode {
  const label = labels[SIGNING];
  if (label === undefined || label === 'disabled') return 'off';
  return label === 'enabled' || label === 'audit' ? label : 'invalid';
}
