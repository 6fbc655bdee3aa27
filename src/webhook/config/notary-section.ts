import { checkNames, fieldOf, isOurAnnotation } from './annotation-name.ts';
import { readAnnotation, requireBeside, setsAnyOf } from './annotation-value.ts';
import { configSource } from './config-source.ts';
import { ANNOTATION, SIGNING } from '../../shared/names.ts';
import {
  problem,
  readMembers,
  readOneOf,
  readRootPins,
  readSecretName,
  readSecretReference,
  readUrl,
  type ConfigProblem,
  type Findings,
  type ConfigSource,
} from './notary-field.ts';
import { annotationLine, EXAMPLE, NOTARY_MEMBERS, V1_MEMBERS } from './notary-members.ts';
import type { NotaryUrl } from '../../shared/notary-url.ts';
import { show } from '../../shared/shown-value.ts';
import type { OnFailure } from '../../shared/signer-flags.ts';
import { readV2Unit, type V2Unit } from './v2-unit.ts';

/** Url, Secret and CA: they only go together. */
export interface ServerAndKey {
  readonly url: NotaryUrl;
  readonly secretName: string;
  readonly caSecretName: string | undefined;
}

/** The units of one level, or of all levels joined: each is whole, or not there. */
export interface Units {
  readonly v1: ServerAndKey | undefined;
  readonly v2: V2Unit | undefined;
  /** The Secret with the CA of the registry: it belongs to neither. */
  readonly registryCaSecretName: string | undefined;
}

/** What one object says about signing. */
export interface NotarySection extends Units {
  readonly source: ConfigSource;
  /** Whether it says nothing at all, right or wrong. */
  readonly isEmpty: boolean;
  readonly isOptedOut: boolean;
  /** Secrets with keys that it names, also where the rest of what it says is malformed. */
  readonly signingSecrets: readonly string[];
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
export function readNotarySection(kind: ConfigSource['kind'], read: unknown): NotarySection {
  const object = configSource(kind, read);
  const findings: Findings = {
    object: `${object.kind} ${object.name}`,
    problems: [],
    warnings: [],
  };
  const own = Object.keys(object.annotations).filter(isOurAnnotation);
  const source = { ...object, annotations: checkNames(findings, object) };

  const fromSpec = hasSection(source) ? readSpec(findings, source.section) : undefined;
  const annotated = readPairOfAnnotations(findings, source, fromSpec);
  const { url, secretName } = fromSpec ?? annotated;
  const caSecretName = readAnnotation(findings, source, ANNOTATION.caSecretRef, (...field) =>
    readSecretName(...field, EXAMPLE.caSecretName),
  );
  const v2 = readV2Unit(findings, source);
  const registryCaSecretName = readAnnotation(
    findings,
    source,
    ANNOTATION.registryCaSecretRef,
    (...field) => readSecretName(...field, EXAMPLE.registryCaSecretName),
  );
  const rootPins = readAnnotation(findings, source, ANNOTATION.rootPin, readRootPins);
  const onFailure = readAnnotation(findings, source, ANNOTATION.onFailure, (...field) =>
    readOneOf(...field, ['fail', 'warn'] as const),
  );
  const optOut =
    source.kind === 'Namespace' ? undefined : readAnnotation(findings, source, SIGNING, readOptOut);
  const hasUnit =
    fromSpec !== undefined || setsAnyOf(source, [ANNOTATION.url, ANNOTATION.secretRef]);
  if (caSecretName !== undefined && !hasUnit) {
    problem(
      findings,
      fieldOf(ANNOTATION.caSecretRef),
      show(caSecretName),
      `${ANNOTATION.url} and ${ANNOTATION.secretRef} beside it, since a CA goes with its server`,
      `${annotationLine(ANNOTATION.url)} and ${annotationLine(ANNOTATION.secretRef)}`,
    );
  }
  if (optOut !== undefined && (hasUnit || v2.isSet)) {
    findings.warnings.push(
      `${SIGNING}: ${optOut} leaves this ${source.kind} unsigned, whatever else it says about signing. Remove it to have builds signed.`,
    );
  }
  return {
    source: object,
    isEmpty: fromSpec === undefined && own.length === 0,
    isOptedOut: optOut !== undefined,
    v1:
      url !== undefined && secretName !== undefined ? { url, secretName, caSecretName } : undefined,
    v2: v2.unit,
    registryCaSecretName,
    signingSecrets: namesOf(fromSpec?.secretName, annotated.secretName, v2.secretName),
    rootPins,
    onFailure,
    problems: findings.problems,
    warnings: findings.warnings,
  };
}

/** All Secrets that these units name. */
export function secretNamesOf({ v1, v2, registryCaSecretName }: Units): readonly string[] {
  return namesOf(
    v1?.secretName,
    v1?.caSecretName,
    v2?.secretName,
    v2?.timestamp?.caSecretName,
    registryCaSecretName,
  );
}

/** The names that are there, each once. */
function namesOf(...names: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(names)].filter((name) => name !== undefined);
}

/** Whether an object has a `spec.notary`, right or wrong. */
export function hasSection({ section }: ConfigSource): boolean {
  return section !== undefined && section !== null;
}

/** `spec.notary` as kpack's API has it. */
function readSpec(findings: Findings, section: unknown): UrlAndSecret {
  const notary = readMembers(findings, 'spec.notary', section, NOTARY_MEMBERS);
  const v1 = notary && readMembers(findings, 'spec.notary.v1', notary['v1'], V1_MEMBERS);
  return {
    url: v1 && readUrl(findings, 'spec.notary.v1.url', v1['url']),
    secretName: v1 && readSecretReference(findings, 'spec.notary.v1.secretRef', v1['secretRef']),
  };
}

/** The annotation that leaves one Image unsigned. */
function readOptOut(findings: Findings, field: string, value: unknown): 'disabled' | undefined {
  if (value === 'disabled') return value;
  const expected =
    'disabled, or no such annotation where it is to be signed, as that is enabled by the label of the namespace';
  return problem(findings, field, show(value), expected, 'disabled');
}

/** Url and Secret as annotations: both or none, and nothing else than `spec.notary` says. */
function readPairOfAnnotations(
  findings: Findings,
  source: ConfigSource,
  fromSpec: UrlAndSecret | undefined,
): UrlAndSecret {
  const url = readAnnotation(findings, source, ANNOTATION.url, readUrl);
  const secretName = readAnnotation(findings, source, ANNOTATION.secretRef, readSecretName);
  if (!fromSpec) {
    requireBeside(findings, source, ANNOTATION.url, [ANNOTATION.secretRef]);
    requireBeside(findings, source, ANNOTATION.secretRef, [ANNOTATION.url]);
  }
  for (const [name, value, inSpec] of [
    [ANNOTATION.url, url, fromSpec?.url],
    [ANNOTATION.secretRef, secretName, fromSpec?.secretName],
  ] as const) {
    if (value === undefined || inSpec === undefined || value === inSpec) continue;
    const expected = `${show(inSpec)}, as in spec.notary, or no such annotation`;
    problem(findings, fieldOf(name), show(value), expected);
  }
  return { url, secretName };
}
