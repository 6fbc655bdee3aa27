import { fieldOf } from './annotation-name.ts';
import { ANNOTATION } from '../../shared/names.ts';
import type { ConfigProblem, ConfigSource } from './notary-field.ts';
import { hasSection, type NotarySection, type ServerAndKey } from './notary-section.ts';
import { cut, show } from '../../shared/shown-value.ts';
import type { OnFailure } from '../../shared/signer-flags.ts';

/** What is to be done for one build: complete, checked, nothing left to default. */
export interface NotaryConfig extends ServerAndKey {
  /** Root key ids, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
  readonly onFailure: OnFailure;
}

/** Whether and how a build is to be signed. */
export type ConfigResolution =
  | { readonly kind: 'config'; readonly config: NotaryConfig; readonly warnings: readonly string[] }
  | { readonly kind: 'none' | 'opted-out'; readonly warnings: readonly string[] }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] };

/**
 * Joins what the Image or Build says with what the admin says on the Namespace. Url, Secret and CA
 * are taken whole from the first that sets them, and who names the admin's key takes the admin's url,
 * so that a developer's url never meets that key. The Namespace's root pins hold for every Image in
 * it, and its `on-failure: fail` stays. All that is checked holds for an Image that opts out, too: it
 * takes nothing but the signature away.
 */
export function resolveNotaryConfig(
  object: NotarySection,
  namespace: NotarySection,
): ConfigResolution {
  const rootPins = narrowed(namespace.rootPins, object.rootPins);
  const problems = [...object.problems, ...namespace.problems];
  if (rootPins.length === 0 && namespace.rootPins) {
    problems.push(
      pinProblem(object.source, object.rootPins ?? [], namespace.source, namespace.rootPins),
    );
  }
  if (object.unit && namespace.unit) {
    problems.push(...keyProblems(object.source, object.unit, namespace.source, namespace.unit));
  }
  if (problems.length > 0) return { kind: 'invalid', problems };
  if (object.isOptedOut) return { kind: 'opted-out', warnings: object.warnings };
  const unit = object.unit ?? namespace.unit;
  if (!unit) return { kind: 'none', warnings: object.warnings };

  const isFloored = namespace.onFailure === 'fail' && object.onFailure === 'warn';
  return {
    kind: 'config',
    config: {
      ...unit,
      rootPins,
      onFailure: isFloored ? 'fail' : (object.onFailure ?? namespace.onFailure ?? 'fail'),
    },
    warnings: [
      ...object.warnings,
      ...namespace.warnings,
      ...(isFloored
        ? [
            `${ANNOTATION.onFailure}: warn has no effect, as the Namespace says fail. Remove it, or have the Namespace changed.`,
          ]
        : []),
    ],
  };
}

/** What an Image has beside the admin's key that is not the admin's: no key of theirs signs there. */
function keyProblems(
  source: ConfigSource,
  unit: ServerAndKey,
  admin: ConfigSource,
  { url, secretName, caSecretName }: ServerAndKey,
): readonly ConfigProblem[] {
  if (![unit.secretName, unit.caSecretName].includes(secretName)) return [];
  const urlField = hasSection(source) ? 'spec.notary.v1.url' : fieldOf(ANNOTATION.url);
  const fields = [
    [urlField, unit.url, url],
    [fieldOf(ANNOTATION.caSecretRef), unit.caSecretName, caSecretName],
  ] as const;
  return fields
    .filter(([, found, theirs]) => found !== undefined && found !== theirs)
    .map(([field, found, theirs]) => ({
      field,
      object: `${source.kind} ${source.name}`,
      found: show(found),
      expected: `${theirs === undefined ? 'no such annotation' : show(theirs)}, as the Namespace ${admin.name} has it with its Secret ${cut(secretName)}, or a Secret of your own`,
      example: undefined,
    }));
}

/** An Image's pins may narrow those of the Namespace, and never replace them. */
function pinProblem(
  { kind, name }: ConfigSource,
  found: readonly string[],
  admin: ConfigSource,
  allowed: readonly string[],
): ConfigProblem {
  const [first = '', ...others] = allowed;
  const more = others.length > 0 ? ` (or one of ${others.length} more)` : '';
  return {
    field: fieldOf(ANNOTATION.rootPin),
    object: `${kind} ${name}`,
    found: show(found.join(',')),
    expected: `one that the Namespace ${admin.name} allows${more}`,
    example: first,
  };
}

/** The pins that both allow. */
function narrowed(
  floor: readonly string[] | undefined,
  pins: readonly string[] | undefined,
): readonly string[] {
  if (!floor || !pins) return floor ?? pins ?? [];
  return pins.filter((pin) => floor.includes(pin));
}

/** Who has more problems than fit has made the same mistake over and over. */
const LONGEST_DESCRIPTION = 3_000;

/** All problems as one text for people, numbered where there are several. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  const descriptions: string[] = [];
  let length = 0;
  for (const problem of problems) {
    const text = describeProblem(problem);
    length += text.length;
    if (descriptions.length > 0 && length > LONGEST_DESCRIPTION) break;
    descriptions.push(problems.length > 1 ? `(${descriptions.length + 1}) ${text}` : text);
  }
  const others = problems.length - descriptions.length;
  return [...descriptions, ...(others > 0 ? [`and ${others} more like these`] : [])].join('; ');
}

/** One problem as a text for people: field, object, what was found, what is expected, an example. */
export function describeProblem(problem: ConfigProblem): string {
  const { field, object, found, expected, example } = problem;
  const forExample = example === undefined ? '' : `, for example ${example}`;
  return `${field} of ${object}: found ${found}; expected ${expected}${forExample}`;
}
