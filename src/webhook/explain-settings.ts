import { readFlags, type FlagKinds } from '../shared/flags.ts';
import { clusterSource, type ClusterSource } from './cluster-source.ts';
import type { ListedKind } from './cluster.ts';
import { DEFAULT_KPACK_USER } from './settings.ts';
import { readSignerImage } from './signer-image.ts';
import { SettingsError } from './settings-error.ts';

/** An object that is asked about. */
export interface NamedObject {
  readonly kind: ListedKind;
  readonly name: string;
}

/** All that `webhook explain` is told. */
export interface ExplainOptions {
  readonly cluster: ClusterSource;
  readonly namespace: string;
  /** Empty: all of the namespace. */
  readonly objects: readonly NamedObject[];
  readonly signerImage: string | undefined;
  readonly kpackUsers: readonly [string, ...string[]];
  readonly output: 'text' | 'json';
}

const FLAGS = {
  kubeconfig: 'one',
  manifests: 'one',
  namespace: 'one',
  'signer-image': 'one',
  'kpack-user': 'many',
  output: 'one',
} as const satisfies FlagKinds;

const KINDS: Readonly<Record<string, ListedKind>> = { image: 'Image', build: 'Build', pod: 'Pod' };

/** @throws SettingsError with all problems at once */
export function parseExplainOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ExplainOptions {
  const { flags, words } = separate(args);
  const { values, problems: found } = readFlags(FLAGS, flags, environment);
  const problems = [...found];
  const objects = words.flatMap((word): NamedObject[] => {
    const [kind = '', name = '', ...others] = word.split('/');
    const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
    if (known !== undefined && name !== '' && others.length === 0) return [{ kind: known, name }];
    problems.push(`${word} is not image/NAME, build/NAME or pod/NAME`);
    return [];
  });
  const [kubeconfig] = values.kubeconfig;
  const [manifests] = values.manifests;
  if (kubeconfig !== undefined && manifests !== undefined) {
    problems.push('--kubeconfig and --manifests exclude each other');
  }
  const [signerImage] = values['signer-image'];
  const { problem } = signerImage === undefined ? {} : readSignerImage(signerImage);
  if (problem !== undefined) problems.push(problem);
  const [output = 'text'] = values.output;
  if (output !== 'text' && output !== 'json') problems.push('--output is text or json');
  if (problems.length > 0) throw new SettingsError(problems.join('; '));
  const [firstUser = DEFAULT_KPACK_USER, ...otherUsers] = values['kpack-user'];
  return {
    cluster: clusterSource(kubeconfig, manifests),
    namespace: values.namespace[0] ?? 'default',
    objects,
    signerImage,
    kpackUsers: [firstUser, ...otherUsers],
    output: output === 'json' ? 'json' : 'text',
  };
}

/** Flags with their values, and other words; `-n` is short for `--namespace`, as in kubectl. */
function separate(args: readonly string[]): {
  readonly flags: readonly string[];
  readonly words: readonly string[];
} {
  const flags: string[] = [];
  const words: string[] = [];
  let takesValue = false;
  for (const arg of args) {
    const isFlag = arg.startsWith('-');
    (isFlag || takesValue ? flags : words).push(arg === '-n' ? '--namespace' : arg);
    takesValue = isFlag && !arg.includes('=');
  }
  return { flags, words };
}
