import { readFlags } from '../../shared/flags.ts';
import { clusterSource, type ClusterSource } from '../../shared/kubernetes/cluster-source.ts';
import type { ListedKind } from '../../shared/kubernetes/cluster.ts';
import { readSignerImage } from '../settings/signer-image.ts';
import { usageError } from '../../shared/settings-error.ts';
import { DEFAULT_KPACK_USER, EXPLAIN_FLAGS } from '../settings/webhook-flags.ts';

/** All that `webhook explain` is told. */
export interface ExplainOptions {
  readonly cluster: ClusterSource;
  readonly namespace: string;
  /** Empty: all of the namespace. */
  readonly objects: readonly { readonly kind: ListedKind; readonly name: string }[];
  /** Undefined: any; of a pod that has its signing container already, the one that is there. */
  readonly signerImage: string | undefined;
  readonly kpackUsers: readonly [string, ...string[]];
  readonly output: 'text' | 'json';
}

const LISTED_KINDS = ['Image', 'Build', 'Pod'] as const;

/** @throws SettingsError with all problems at once */
export function parseExplainOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ExplainOptions {
  const {
    values,
    words,
    problems: found,
  } = readFlags(EXPLAIN_FLAGS, args, environment, {
    expected: 'image/NAME, build/NAME or pod/NAME',
    accepts: (word) => readObject(word) !== undefined,
  });
  const problems = [...found];
  const objects = words.map(readObject).filter((object) => object !== undefined);
  const cluster = clusterSource(values, problems);
  const [signerImage] = values['signer-image'];
  const { problem } = signerImage === undefined ? {} : readSignerImage(signerImage);
  if (problem !== undefined) problems.push(problem);
  const [output = 'text'] = values.output;
  if (output !== 'text' && output !== 'json') problems.push('--output is text or json');
  if (problems.length > 0) throw usageError(problems);
  const [firstUser = DEFAULT_KPACK_USER, ...otherUsers] = values['kpack-user'];
  return {
    cluster,
    namespace: values.namespace[0] ?? 'default',
    objects,
    signerImage,
    kpackUsers: [firstUser, ...otherUsers],
    output: output === 'json' ? 'json' : 'text',
  };
}

function readObject(word: string): ExplainOptions['objects'][number] | undefined {
  const [written, name = '', ...others] = word.split('/');
  const kind = LISTED_KINDS.find((each) => each.toLowerCase() === written);
  return kind && name !== '' && others.length === 0 ? { kind, name } : undefined;
}
