import { ANNOTATION } from '../../shared/names.ts';
import type { OnFailure } from '../../shared/signer-flags.ts';
import { levelProblems, narrowPins } from './level-problems.ts';
import type { ConfigProblem } from './notary-field.ts';
import type { NotarySection, ServerAndKey, Units } from './notary-section.ts';
import type { V2Unit } from './v2-unit.ts';

/** What is to be done for one build: complete, checked, nothing left to default. It signs at least once. */
export type NotaryConfig = CommonConfig &
  (
    | { readonly v1: V1Config; readonly v2: V2Config | undefined }
    | { readonly v1: undefined; readonly v2: V2Config }
  );

interface CommonConfig {
  /** The Secret with the CA of the registry. */
  readonly registryCaSecretName: string | undefined;
  readonly onFailure: OnFailure;
}

/** How to sign at a Notary v1 server. */
export interface V1Config extends ServerAndKey {
  /** Root key ids, one of which must have signed; empty: trust on first use. */
  readonly rootPins: readonly string[];
}

/** How to make a Notary Project signature. */
export interface V2Config extends V2Unit {
  /** `warn`: where v2 fails, the outcome is that of v1. */
  readonly onFailure: OnFailure;
}

/** Whether and how a build is to be signed. */
export type ConfigResolution =
  | { readonly kind: 'config'; readonly config: NotaryConfig; readonly warnings: readonly string[] }
  | { readonly kind: 'none' | 'opted-out'; readonly warnings: readonly string[] }
  | { readonly kind: 'invalid'; readonly problems: readonly ConfigProblem[] };

/**
 * Joins what the Image or Build says with what the admin says on the Namespace. There are two units: url,
 * Secret and CA of v1, and the settings of v2. Each is taken whole from the first that sets it. Who
 * names the admin's key takes what the admin says with it, so that a developer's url never meets that
 * key. The Namespace's root pins hold for every Image in it, and so does its demand for timestamps. Its
 * `on-failure: fail` and `v2.on-failure: fail` stay. All that is checked holds for an Image that opts out,
 * too: it takes nothing but the signature away.
 */
export function resolveNotaryConfig(
  object: NotarySection,
  namespace: NotarySection,
): ConfigResolution {
  const problems = [...object.problems, ...namespace.problems, ...levelProblems(object, namespace)];
  if (problems.length > 0) return { kind: 'invalid', problems };
  if (object.isOptedOut) return { kind: 'opted-out', warnings: object.warnings };

  const { v1, v2, registryCaSecretName } = joinUnits(object, namespace);
  const onFailure = floored(object.onFailure, namespace.onFailure);
  const v2OnFailure = floored(object.v2?.onFailure, namespace.v2?.onFailure);
  const common = { registryCaSecretName, onFailure };
  const v1Config = v1 && { ...v1, rootPins: narrowPins(namespace.rootPins, object.rootPins) };
  // Without v1 there is no other outcome than that of v2.
  const v2Config = v2 && { ...v2, onFailure: v1 ? v2OnFailure : ('fail' as const) };
  const config: NotaryConfig | undefined = v1Config
    ? { v1: v1Config, v2: v2Config, ...common }
    : v2Config && { v1: undefined, v2: v2Config, ...common };
  if (!config) return { kind: 'none', warnings: object.warnings };
  return {
    kind: 'config',
    config,
    warnings: [
      ...object.warnings,
      ...namespace.warnings,
      ...(onFailure !== (object.onFailure ?? onFailure)
        ? [`${ANNOTATION.onFailure}: ${FLOORED}`]
        : []),
      ...(v2OnFailure !== (object.v2?.onFailure ?? v2OnFailure)
        ? [`${ANNOTATION.v2OnFailure}: ${FLOORED}`]
        : []),
      ...(v2Config && v2Config.onFailure !== v2OnFailure ? [ALONE] : []),
      ...(!v1 && object.rootPins ? [PINS_NOTHING] : []),
    ],
  };
}

const FLOORED =
  'warn has no effect, as the Namespace says fail. Remove it, or have the Namespace changed.';
const ALONE = `${ANNOTATION.v2OnFailure}: warn has no effect, as nothing signs with v1 here. To let builds go on unsigned, set ${ANNOTATION.onFailure}: warn.`;
const PINS_NOTHING = `${ANNOTATION.rootPin} has no effect, as nothing signs with v1 here. Remove it, or set ${ANNOTATION.url} and ${ANNOTATION.secretRef} as well.`;

/** The units that hold for an Image or Build in its Namespace. */
export function joinUnits(object: Units, namespace: Units): Units {
  const isAdminsKey = object.v2?.secretName === namespace.v2?.secretName;
  return {
    v1: object.v1 ?? namespace.v1,
    v2: isAdminsKey ? namespace.v2 : (object.v2 ?? namespace.v2),
    registryCaSecretName: object.registryCaSecretName ?? namespace.registryCaSecretName,
  };
}

/** What an Image says where the Namespace says nothing stricter. */
function floored(own: OnFailure | undefined, floor: OnFailure | undefined): OnFailure {
  return floor === 'fail' ? floor : (own ?? floor ?? 'fail');
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
