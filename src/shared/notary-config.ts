import { ANNOTATION } from './names.ts';
import type { ConfigProblem } from './notary-field.ts';
import { readNotarySection, type ConfigSource, type NotaryUnit } from './notary-section.ts';
import type { OnFailure } from './signer-flags.ts';

/** What is to be done for one build: complete, checked, nothing left to default. */
export interface NotaryConfig extends NotaryUnit {
  /** Root key ids, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
  readonly onFailure: OnFailure;
}

/** Whether and how a build is to be signed. */
export type ConfigResolution =
  | { readonly kind: 'config'; readonly config: NotaryConfig; readonly warnings: readonly string[] }
  | { readonly kind: 'none' }
  | { readonly kind: 'opted-out' }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] };

/**
 * Joins what the Image or Build says with what the admin says on the Namespace. Url, Secret and CA
 * are taken whole from the first that sets them, so that a developer's url never meets the admin's
 * key. The Namespace's root pins hold for every Image in it, and its `on-failure: fail` stays.
 */
export function resolveNotaryConfig(
  objectSource: ConfigSource,
  namespaceSource: ConfigSource,
): ConfigResolution {
  const object = readNotarySection(objectSource);
  const namespace = readNotarySection(namespaceSource);
  const problems = [...object.problems, ...namespace.problems];
  if (problems.length > 0) return { kind: 'invalid', problems };
  if (object.isOptedOut) return { kind: 'opted-out' };
  const unit = object.unit ?? namespace.unit;
  if (!unit) return { kind: 'none' };

  const rootPins = narrowed(namespace.rootPins, object.rootPins);
  if (rootPins.length === 0 && (namespace.rootPins ?? object.rootPins)) {
    return {
      kind: 'invalid',
      problems: [
        {
          field: `metadata.annotations[${ANNOTATION.rootPin}]`,
          object: `${objectSource.kind} ${objectSource.name}`,
          found: object.rootPins?.join(',') ?? '',
          expected: `at least one of the pins of the Namespace: ${namespace.rootPins?.join(',') ?? ''}`,
        },
      ],
    };
  }
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
        ? [`${ANNOTATION.onFailure}: warn has no effect: the Namespace says fail`]
        : []),
    ],
  };
}

/** How many problems a message tells; who has more has made the same mistake over and over. */
const MOST_TOLD = 20;

/** All problems as one text for people: field, object, what was found, what is expected. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  const told = problems
    .slice(0, MOST_TOLD)
    .map(
      ({ field, object, found, expected }) =>
        `${field} of ${object}: found ${found}, expected ${expected}`,
    );
  const others = problems.length - told.length;
  return [...told, ...(others > 0 ? [`and ${others} more like these`] : [])].join('; ');
}

/** The pins that both allow. */
function narrowed(
  floor: readonly string[] | undefined,
  pins: readonly string[] | undefined,
): readonly string[] {
  if (!floor || !pins) return floor ?? pins ?? [];
  return pins.filter((pin) => floor.includes(pin));
}
