import { ANNOTATION, INJECTED, PREFIX, RESERVED_PREFIX, SIGNING, SKIPPED } from './names.ts';
import {
  expectedName,
  problem,
  readMembers,
  readOneOf,
  readRootPins,
  readSecretName,
  readSecretReference,
  readUrl,
  show,
  type ConfigProblem,
  type Findings,
} from './notary-field.ts';
import type { NotaryUrl } from './notary-url.ts';
import type { OnFailure } from './signer-flags.ts';

/** An object that can configure signing, as far as that goes. */
export interface ConfigSource {
  readonly kind: 'Image' | 'Build' | 'Namespace';
  readonly name: string;
  readonly annotations: Readonly<Record<string, unknown>>;
  /** `spec.notary`; Namespaces have none. */
  readonly section?: unknown;
}

/** Url, Secret and CA: they only go together. */
export interface NotaryUnit {
  readonly url: NotaryUrl;
  readonly secretName: string;
  readonly caSecretName: string | undefined;
}

/** What one object says about signing. */
export interface NotarySection {
  /** Whether it says nothing at all, right or wrong. */
  readonly isEmpty: boolean;
  readonly isOptedOut: boolean;
  readonly unit: NotaryUnit | undefined;
  /** Root key ids; undefined where the object does not pin. */
  readonly rootPins: readonly string[] | undefined;
  readonly onFailure: OnFailure | undefined;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** A url and a Secret, each as far as it could be read. */
interface UrlAndSecret {
  readonly url: NotaryUrl | undefined;
  readonly secretName: string | undefined;
}

/** Reads all that an object says about signing; problems and warnings are collected, not thrown. */
export function readNotarySection(source: ConfigSource): NotarySection {
  const findings: Findings = {
    object: `${source.kind} ${source.name}`,
    problems: [],
    warnings: [],
  };
  const own = Object.keys(source.annotations).filter((name) => name.startsWith(PREFIX));
  for (const name of own) checkAnnotationName(findings, source.kind, name);

  const fromSpec = readSpec(findings, source.section);
  const annotated = readPairOfAnnotations(findings, source, fromSpec);
  const { url, secretName } = fromSpec ?? annotated;
  const caSecretName = readAnnotation(findings, source, ANNOTATION.caSecretRef, readSecretName);
  const rootPins = readAnnotation(findings, source, ANNOTATION.rootPin, readRootPins);
  const onFailure = readAnnotation(findings, source, ANNOTATION.onFailure, (...field) =>
    readOneOf(...field, ['fail', 'warn'] as const),
  );
  const optOut =
    source.kind === 'Namespace'
      ? undefined
      : readAnnotation(findings, source, SIGNING, (...field) =>
          readOneOf(...field, ['disabled'] as const),
        );
  const hasUnit =
    fromSpec !== undefined || setsAnyOf(source, [ANNOTATION.url, ANNOTATION.secretRef]);
  if (caSecretName !== undefined && !hasUnit) {
    problem(
      findings,
      fieldOf(ANNOTATION.caSecretRef),
      show(caSecretName),
      `${ANNOTATION.url} and ${ANNOTATION.secretRef} beside it: a CA goes with its server`,
    );
  }
  return {
    isEmpty: fromSpec === undefined && own.length === 0,
    isOptedOut: optOut !== undefined,
    unit:
      url !== undefined && secretName !== undefined ? { url, secretName, caSecretName } : undefined,
    rootPins,
    onFailure,
    problems: findings.problems,
    warnings: findings.warnings,
  };
}

function fieldOf(annotation: string): string {
  return `metadata.annotations[${annotation}]`;
}

function setsAnyOf({ annotations }: ConfigSource, names: readonly string[]): boolean {
  return names.some((name) => annotations[name] !== undefined);
}

function checkAnnotationName(findings: Findings, kind: ConfigSource['kind'], name: string): void {
  const known: string[] = Object.values(ANNOTATION);
  if (kind !== 'Namespace') known.push(SIGNING);
  if (known.includes(name)) return;
  const wrong = (expected: string) => problem(findings, fieldOf(name), 'this annotation', expected);
  if (name === SIGNING) wrong(`a label of that name: ${SIGNING}=enabled`);
  else if (name === INJECTED || name === SKIPPED) wrong('none: we write it, on pods alone');
  else if (name.startsWith(RESERVED_PREFIX)) wrong('none: v2 is not supported in this version');
  else wrong(expectedName(name, known));
}

/** `spec.notary` as kpack's API has it; undefined where there is none. */
function readSpec(findings: Findings, section: unknown): UrlAndSecret | undefined {
  if (section === undefined || section === null) return undefined;
  const notary = readMembers(findings, 'spec.notary', section, ['v1']);
  const v1 = notary && readMembers(findings, 'spec.notary.v1', notary['v1'], ['url', 'secretRef']);
  return {
    url: v1 && readUrl(findings, 'spec.notary.v1.url', v1['url']),
    secretName: v1 && readSecretReference(findings, 'spec.notary.v1.secretRef', v1['secretRef']),
  };
}

/** Url and Secret as annotations: both or none, and nothing else than `spec.notary` says. */
function readPairOfAnnotations(
  findings: Findings,
  source: ConfigSource,
  fromSpec: UrlAndSecret | undefined,
): UrlAndSecret {
  const url = readAnnotation(findings, source, ANNOTATION.url, readUrl);
  const secretName = readAnnotation(findings, source, ANNOTATION.secretRef, readSecretName);
  for (const [name, other] of [
    [ANNOTATION.url, ANNOTATION.secretRef],
    [ANNOTATION.secretRef, ANNOTATION.url],
  ] as const) {
    if (fromSpec || setsAnyOf(source, [name]) || !setsAnyOf(source, [other])) continue;
    problem(findings, fieldOf(name), 'nothing', `a value, since ${other} only goes with it`);
  }
  for (const [name, value, inSpec] of [
    [ANNOTATION.url, url, fromSpec?.url],
    [ANNOTATION.secretRef, secretName, fromSpec?.secretName],
  ] as const) {
    if (value === undefined || inSpec === undefined || value === inSpec) continue;
    problem(findings, fieldOf(name), show(value), `${show(inSpec)}, as in spec.notary, or nothing`);
  }
  return { url, secretName };
}

function readAnnotation<Value>(
  findings: Findings,
  { annotations }: ConfigSource,
  name: string,
  read: (findings: Findings, field: string, value: unknown) => Value | undefined,
): Value | undefined {
  const value = annotations[name];
  return value === undefined ? undefined : read(findings, fieldOf(name), value);
}
