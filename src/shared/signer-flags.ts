import { many, one, toggle, type FlagTable } from './flags.ts';
import type { NotaryUrl } from './notary-url.ts';
import type { TimestampUrl } from './timestamp-url.ts';

/** What a failure to sign does to the build: `fail` fails it, `warn` lets it go on. */
export type OnFailure = 'fail' | 'warn';

/** The settings of the signer. The webhook writes them as flags, and the signer parses these. */
export interface SignerSettings {
  /** report.toml, or the tags to look up at the registry if the build writes no report. */
  readonly source: { readonly report: string } | { readonly tags: readonly string[] };
  readonly signatures: SignatureSettings;
  readonly registryCredentials: readonly MountedCredentials[];
  /** CA certificates of the registry, beside the usual roots. */
  readonly registryCaFiles: readonly string[];
  /** The tags of the Build. The signer rejects a report with another tag. Empty: any tag. */
  readonly allowedTags: readonly string[];
  readonly onFailure: OnFailure;
}

/** Which signatures a run makes: of Notary v1, of the Notary Project ("v2"), or both. */
export type SignatureSettings =
  | { readonly v1: V1Settings; readonly v2: V2Settings | undefined }
  | { readonly v1: undefined; readonly v2: V2Settings };

/** What it takes to sign at a Notary v1 server. */
export interface V1Settings {
  readonly notaryUrl: NotaryUrl;
  /** The directory of the mounted signing Secret. */
  readonly keyDirectory: string;
  readonly caFiles: readonly string[];
  readonly rootPins: readonly string[];
  readonly notaryCredentials: readonly MountedCredentials[];
}

/** What it takes to make a Notary Project signature. */
export interface V2Settings {
  /** The directory of the mounted v2 signing Secret. */
  readonly keyDirectory: string;
  readonly timestamp: TimestampSettings | undefined;
  /** How long signatures are good, as written (`8760h`); undefined: as long as the certificates. */
  readonly expiry: string | undefined;
  /** `warn`: a failed v2 part is in the receipt, and the outcome is that of v1. */
  readonly onFailure: OnFailure;
}

/** A timestamp server, and the file with the root certificates of its chain. */
export interface TimestampSettings {
  readonly url: TimestampUrl;
  readonly caFile: string;
}

/**
 * A mounted Secret with credentials. With a host (`host` or `host:port`) it holds `username` and
 * `password`. Without one, for registries alone, it is a docker configuration, which names hosts itself.
 */
export interface MountedCredentials {
  readonly host: string | undefined;
  readonly directory: string;
}

/** The files that order the steps of a build in standard containers. */
export interface StepChain {
  /** The step before the signer writes it when it is done. */
  readonly waitFile: string;
  /** The signer writes it when the build may go on. */
  readonly doneFile: string;
  /** A step that fails writes it; all other steps end. */
  readonly errorFile: string;
}

/** The same files, as far as a run of the signer has them. */
export type StepFiles = { readonly [File in keyof StepChain]: StepChain[File] | undefined };

export const SIGNER_FLAGS = {
  report: one('FILE', 'report.toml of the export or rebase step'),
  tag: many('REF', 'in its place, where the build writes no report: looked up at the registry'),
  'allow-tag': many('REF', 'the tags of the Build; a report with another one is refused'),
  'notary-url': one('URL', 'the Notary server; a path is allowed'),
  'key-dir': one('DIR', 'the signing Secret: *.key, notary-password.txt or password, ca.crt'),
  'ca-file': many('FILE', 'further CA certificates for the Notary server and its token server'),
  'root-pin': many('ID', 'root key ids, TUF or canonical; one of them must have signed the root'),
  'notary-credentials': many('HOST=DIR', 'a basic-auth Secret for a Notary server'),
  'registry-credentials': many(
    'DIR',
    'a docker Secret (.dockerconfigjson, .dockercfg); as HOST=DIR a basic-auth Secret',
  ),
  'registry-ca-file': many('FILE', 'CA certificates of the registry, beside the usual roots'),
  'v2-key-dir': one('DIR', 'the v2 signing Secret: tls.crt, tls.key, ca.crt, password'),
  'v2-timestamp-url': one('URL', 'a timestamp server (RFC 3161); without one, no timestamp'),
  'v2-timestamp-ca-file': one('FILE', 'the root certificate of the timestamp server'),
  'v2-expiry': one('DURATION', 'how long v2 signatures are good, such as 8760h'),
  'v2-on-failure': one('fail|warn', 'warn: where v2 fails, the outcome is that of v1'),
  'on-failure': one('fail|warn', 'warn: a failure is logged, and the build goes on unsigned'),
  deadline: one('SECONDS', 'for all work (300)'),
  'wait-file': one('FILE', "begins when this file is not empty, as kpack's build-waiter does"),
  'done-file': one('FILE', 'written when the next step may begin'),
  'error-file': one('FILE', 'written when it may not; ends the wait when another step wrote it'),
  'termination-log': one(
    'FILE',
    'the last words: a receipt of at most 1,024 bytes, or a sentence when the build fails',
  ),
  receipt: one('FILE', 'the whole receipt, JSON'),
  'log-format': one(
    'text|json',
    'lines for people (the default), or a JSON object a line, the receipt last',
  ),
  'dry-run': toggle('everything but the publish; the receipt says dry-run, or already-signed'),
} as const satisfies FlagTable;

/**
 * Formats the settings as the command line of the signer.
 *
 * @param terminationLog the file for the termination message
 * @param chain the wait files, if the steps are standard containers
 */
export function formatSignerFlags(
  settings: SignerSettings,
  terminationLog?: string,
  chain?: StepChain,
): string[] {
  const flag = (name: keyof typeof SIGNER_FLAGS, ...values: readonly string[]) =>
    values.map((value) => `--${name}=${value}`);
  const mounted = ({ host, directory }: MountedCredentials) =>
    host === undefined ? directory : `${host}=${directory}`;
  const { v1, v2 } = settings.signatures;
  return [
    ...('report' in settings.source
      ? flag('report', settings.source.report)
      : flag('tag', ...settings.source.tags)),
    ...(v1
      ? [
          ...flag('notary-url', v1.notaryUrl),
          ...flag('key-dir', v1.keyDirectory),
          ...flag('ca-file', ...v1.caFiles),
          ...flag('root-pin', ...v1.rootPins),
          ...flag('notary-credentials', ...v1.notaryCredentials.map(mounted)),
        ]
      : []),
    ...(v2
      ? [
          ...flag('v2-key-dir', v2.keyDirectory),
          ...(v2.timestamp
            ? [
                ...flag('v2-timestamp-url', v2.timestamp.url),
                ...flag('v2-timestamp-ca-file', v2.timestamp.caFile),
              ]
            : []),
          ...(v2.expiry === undefined ? [] : flag('v2-expiry', v2.expiry)),
          ...flag('v2-on-failure', v2.onFailure),
        ]
      : []),
    ...flag('registry-credentials', ...settings.registryCredentials.map(mounted)),
    ...flag('registry-ca-file', ...settings.registryCaFiles),
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
