import { ANNOTATION, INJECTED, PREFIX, SIGNING, SKIPPED } from '../../shared/names.ts';
import { nearest } from '../../shared/nearest.ts';
import { expectedName, problem, type Findings, type ConfigSource } from './notary-field.ts';
import { annotationLine } from './notary-members.ts';
import { command } from '../../shared/shell-command.ts';
import { cut } from '../../shared/shown-value.ts';

/**
 * Whether an annotation is under the prefix of kpack-notary. Kubernetes takes names of annotations in
 * any case, so another case is a typing mistake.
 */
export function isOurAnnotation(name: string): boolean {
  return name.slice(0, PREFIX.length).toLowerCase() === PREFIX;
}

/** Where an annotation stands, as messages name it. */
export function fieldOf(annotation: string): string {
  return `metadata.annotations[${cut(annotation)}]`;
}

/** Nobody mistypes more names than that: each is compared with all that are known, others are counted. */
const MOST_COMPARED = 20;
const ON_NAMESPACES: readonly string[] = Object.values(ANNOTATION);
const ON_OTHERS = [...ON_NAMESPACES, SIGNING];

/**
 * Checks that all that an object has under the prefix of kpack-notary are known annotations; those, as they
 * were meant, so that a mistyped one is not said to be missing as well.
 */
export function checkNames(
  findings: Findings,
  source: ConfigSource,
): Readonly<Record<string, unknown>> {
  const known = source.kind === 'Namespace' ? ON_NAMESPACES : ON_OTHERS;
  const read: Record<string, unknown> = {};
  const unknown: string[] = [];
  for (const name of Object.keys(source.annotations).filter(isOurAnnotation)) {
    if (known.includes(name)) read[name] = source.annotations[name];
    else unknown.push(name);
  }
  unknown.sort();
  if (unknown.length > MOST_COMPARED) {
    const found = `${unknown.length} unknown annotations that begin with ${PREFIX}`;
    problem(findings, 'metadata.annotations', found, `none (${MOST_COMPARED} of them follow)`);
  }
  for (const name of unknown.slice(0, MOST_COMPARED)) {
    const meant = checkUnknown(findings, source, name, known);
    if (meant !== undefined) read[meant] ??= source.annotations[name];
  }
  if (source.kind !== 'Namespace') warnOfLabels(findings, source);
  return read;
}

/** The annotation that was meant by one that is not known. */
function checkUnknown(
  findings: Findings,
  { name: objectName }: ConfigSource,
  name: string,
  known: readonly string[],
): string | undefined {
  const reject = (found: string, expected: string, example?: string) =>
    problem(findings, fieldOf(name), found, expected, example);
  if (name === SIGNING) {
    const label = command`kubectl label namespace ${cut(objectName)} notary.kpack.io/signing=enabled --overwrite`;
    return reject('an annotation', 'a label of that name', label);
  }
  if (name === INJECTED || name === SKIPPED) {
    const found = 'an annotation that kpack-notary itself writes, on pods alone';
    return reject(found, 'no such annotation');
  }
  const candidates = known.filter(isOfVersionOf(name));
  const meant = nearest(name, candidates);
  reject('an unknown annotation', expectedName(name, candidates), meant && annotationLine(meant));
  return meant;
}

/** A user who writes `v2.url` does not mean `v1.url`: only names of the same version come into question. */
function isOfVersionOf(name: string): (known: string) => boolean {
  const version = versionOf(name);
  return (known) => version === undefined || (versionOf(known) ?? version) === version;
}

function versionOf(annotation: string): string | undefined {
  return /^v[12]\./i.exec(annotation.slice(PREFIX.length))?.[0].toLowerCase();
}

/** A label says nothing here; who wrote one meant the annotation. */
function warnOfLabels(findings: Findings, { kind, labels }: ConfigSource): void {
  for (const name of Object.keys(labels).filter((label) => label.startsWith(PREFIX))) {
    findings.warnings.push(
      `the label ${cut(name)} has no effect on the ${kind}. Write it as an annotation instead.`,
    );
  }
}
