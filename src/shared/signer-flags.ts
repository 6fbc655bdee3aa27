import type { FlagKinds } from './flags.ts';
import type { NotaryUrl } from './notary-url.ts';

/** Whether a build fails when its image cannot be signed. */
export type OnFailure = 'fail' | 'warn';

/** What the signer is told: the webhook writes it as flags, the signer reads them back. */
export interface SignerSettings {
  /** report.toml, or the tags to look up at the registry where the build writes no report. */
  readonly source: { readonly report: string } | { readonly tags: readonly string[] };
  readonly notaryUrl: NotaryUrl;
  /** The mounted signing Secret. */
  readonly keyDirectory: string;
  readonly caFiles: readonly string[];
  readonly rootPins: readonly string[];
  readonly notaryCredentials: readonly HostDirectory[];
  readonly registryCredentials: readonly RegistrySecret[];
  /** The tags of the Build; a report that holds another is refused. Empty: any. */
  readonly allowedTags: readonly string[];
  readonly onFailure: OnFailure;
}

/** A directory with `username` and `password`, and the server that they are for. */
export interface HostDirectory {
  /** `host` or `host:port`. */
  readonly host: string;
  readonly directory: string;
}

/**
 * A mounted Secret for registries: with a host its `username` and `password`, else a docker
 * configuration, which names hosts itself.
 */
export interface RegistrySecret {
  readonly host: string | undefined;
  readonly directory: string;
}

/** The files by which the steps of a build in standard containers follow one another. */
export interface StepChain {
  /** Written by the step before ours when it is done. */
  readonly waitFile: string;
  /** Written by the signer when the build may go on. */
  readonly doneFile: string;
  /** Written by whichever step fails; it ends all others. */
  readonly errorFile: string;
}

/** Every flag of the signer. */
export const SIGNER_FLAGS = {
  report: 'one',
  tag: 'many',
  'notary-url': 'one',
  'key-dir': 'one',
  'ca-file': 'many',
  'root-pin': 'many',
  'notary-credentials': 'many',
  'registry-credentials': 'many',
  'allow-tag': 'many',
  'on-failure': 'one',
  'termination-log': 'one',
  receipt: 'one',
  deadline: 'one',
  'wait-file': 'one',
  'done-file': 'one',
  'error-file': 'one',
  'log-format': 'one',
  'dry-run': 'switch',
} as const satisfies FlagKinds;

/**
 * The settings as a command line, with the file for the termination message.
 *
 * @param chain the signer's place among steps that are standard containers
 */
export function formatSignerFlags(
  settings: SignerSettings,
  terminationLog?: string,
  chain?: StepChain,
): string[] {
  const flag = (name: keyof typeof SIGNER_FLAGS, ...values: readonly string[]) =>
    values.map((value) => `--${name}=${value}`);
  return [
    ...('report' in settings.source
      ? flag('report', settings.source.report)
      : flag('tag', ...settings.source.tags)),
    ...flag('notary-url', settings.notaryUrl),
    ...flag('key-dir', settings.keyDirectory),
    ...flag('ca-file', ...settings.caFiles),
    ...flag('root-pin', ...settings.rootPins),
    ...settings.notaryCredentials.flatMap(({ host, directory }) =>
      flag('notary-credentials', `${host}=${directory}`),
    ),
    ...settings.registryCredentials.flatMap(({ host, directory }) =>
      flag('registry-credentials', host === undefined ? directory : `${host}=${directory}`),
    ),
    ...flag('allow-tag', ...settings.allowedTags),
    ...flag('on-failure', settings.onFailure),
    ...(terminationLog === undefined ? [] : flag('termination-log', terminationLog)),
    ...(chain
      ? [
          ...flag('wait-file', chain.waitFile),
          ...flag('done-file', chain.doneFile),
          ...flag('error-file', chain.errorFile),
        ]
      : []),
  ];
}
