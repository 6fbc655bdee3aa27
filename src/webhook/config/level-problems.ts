import { parseDuration } from '../../shared/duration.ts';
import { ANNOTATION } from '../../shared/names.ts';
import { cut, show } from '../../shared/shown-value.ts';
import { fieldOf } from './annotation-name.ts';
import type { ConfigProblem, ConfigSource } from './notary-field.ts';
import { hasSection, type NotarySection, type ServerAndKey } from './notary-section.ts';
import type { V2Unit } from './v2-unit.ts';

/** A field of an Image, its value, and what the Namespace has in its place. */
type FieldOfLevels = readonly [
  field: string,
  found: string | undefined,
  theirs: string | undefined,
  isSame?: boolean,
];

/** What an Image or Build says that the admin does not allow, by what stands on the Namespace. */
export function levelProblems(
  object: NotarySection,
  namespace: NotarySection,
): readonly ConfigProblem[] {
  const { source } = object;
  const { source: admin } = namespace;
  const hasForbiddenPins =
    namespace.rootPins && narrowPins(namespace.rootPins, object.rootPins).length === 0;
  return [
    ...(hasForbiddenPins
      ? [pinProblem(source, object.rootPins ?? [], admin, namespace.rootPins)]
      : []),
    ...(object.v1 && namespace.v1 ? v1KeyProblems(source, object.v1, admin, namespace.v1) : []),
    ...(object.v2 && namespace.v2 ? v2Problems(source, object.v2, admin, namespace.v2) : []),
    ...otherUseProblems(object, namespace),
  ];
}

/** The pins that both levels allow; empty if neither pins. */
export function narrowPins(
  floor: readonly string[] | undefined,
  pins: readonly string[] | undefined,
): readonly string[] {
  if (!floor || !pins) return floor ?? pins ?? [];
  return pins.filter((pin) => floor.includes(pin));
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

/** What an Image has beside the admin's key that is not the admin's: no key of theirs signs there. */
function v1KeyProblems(
  source: ConfigSource,
  unit: ServerAndKey,
  admin: ConfigSource,
  { url, secretName, caSecretName }: ServerAndKey,
): readonly ConfigProblem[] {
  if (![unit.secretName, unit.caSecretName].includes(secretName)) return [];
  const urlField = hasSection(source) ? 'spec.notary.v1.url' : fieldOf(ANNOTATION.url);
  return differences(source, admin, secretName, [
    [urlField, unit.url, url],
    [fieldOf(ANNOTATION.caSecretRef), unit.caSecretName, caSecretName],
  ]);
}

/**
 * With the admin's Secret go the admin's timestamp and expiry. With another Secret the Image needs a
 * timestamp if the admin asks for one: verifiers may refuse signatures without.
 */
function v2Problems(
  source: ConfigSource,
  { secretName, timestamp, expiry }: V2Unit,
  admin: ConfigSource,
  theirs: V2Unit,
): readonly ConfigProblem[] {
  if (secretName === theirs.secretName) {
    const isSameExpiry = parseDuration(expiry ?? '') === parseDuration(theirs.expiry ?? '');
    return differences(source, admin, secretName, [
      [fieldOf(ANNOTATION.timestampUrl), timestamp?.url, theirs.timestamp?.url],
      [
        fieldOf(ANNOTATION.timestampCaSecretRef),
        timestamp?.caSecretName,
        theirs.timestamp?.caSecretName,
      ],
      [fieldOf(ANNOTATION.expiry), expiry, theirs.expiry, isSameExpiry],
    ]);
  }
  if (timestamp || !theirs.timestamp) return [];
  const { url, caSecretName } = theirs.timestamp;
  return [
    {
      field: fieldOf(ANNOTATION.timestampUrl),
      object: `${source.kind} ${source.name}`,
      found: 'nothing',
      expected: `a timestamp server, since the Namespace ${admin.name} asks for timestamps, or no ${ANNOTATION.v2SecretRef}`,
      example: `${ANNOTATION.timestampUrl}: ${cut(url)} and ${ANNOTATION.timestampCaSecretRef}: ${cut(caSecretName)}`,
    },
  ];
}

/** Fields that say something else than the admin does beside the same Secret. */
function differences(
  { kind, name }: ConfigSource,
  admin: ConfigSource,
  secretName: string,
  fields: readonly FieldOfLevels[],
): readonly ConfigProblem[] {
  return fields
    .filter(([, found, theirs, isSame = found === theirs]) => found !== undefined && !isSame)
    .map(([field, found, theirs]) => ({
      field,
      object: `${kind} ${name}`,
      found: show(found),
      expected: `${theirs === undefined ? 'no such annotation' : show(theirs)}, as the Namespace ${admin.name} has it with its Secret ${cut(secretName)}, or a Secret of your own`,
      example: undefined,
    }));
}

/**
 * The admin's keys, named for another use than the admin's own. As a key of the other version it would
 * sign for a server or with settings of the developer; as a CA it would count as public.
 */
function otherUseProblems(object: NotarySection, namespace: NotarySection): ConfigProblem[] {
  const { source, v1, v2, registryCaSecretName } = object;
  const { v1: v1Of, v2: v2Of, signingSecrets } = namespace;
  // What the key of v1 must not be used for in v1 has problems of its own.
  const v1Keys = signingSecrets.filter((name) => name !== v1Of?.secretName);
  const secretField = hasSection(source)
    ? 'spec.notary.v1.secretRef.name'
    : fieldOf(ANNOTATION.secretRef);
  const fields: readonly (readonly [keys: readonly string[], FieldOfLevels])[] = [
    [v1Keys, [secretField, v1?.secretName, v1Of?.secretName]],
    [v1Keys, [fieldOf(ANNOTATION.caSecretRef), v1?.caSecretName, v1Of?.caSecretName]],
    [signingSecrets, [fieldOf(ANNOTATION.v2SecretRef), v2?.secretName, v2Of?.secretName]],
    [
      signingSecrets,
      [
        fieldOf(ANNOTATION.timestampCaSecretRef),
        v2?.timestamp?.caSecretName,
        v2Of?.timestamp?.caSecretName,
      ],
    ],
    [
      signingSecrets,
      [
        fieldOf(ANNOTATION.registryCaSecretRef),
        registryCaSecretName,
        namespace.registryCaSecretName,
      ],
    ],
  ];
  return fields
    .filter(([keys, [, found, theirs]]) => found !== theirs && keys.includes(found ?? ''))
    .map(([, [field, found]]) => ({
      field,
      object: `${source.kind} ${source.name}`,
      found: show(found),
      expected: `another Secret, since that one holds a signing key of the Namespace ${namespace.source.name}`,
      example: undefined,
    }));
}
