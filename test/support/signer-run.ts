/** Runs of the bundled signer as a process of its own, the way a pod runs it. */
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, type CommandOptions, type CommandResult } from '../bed/command.ts';
import { projectDirectory } from '../bed/project-directory.ts';
import { demandSecretsKept } from './signer-secrets.ts';

/** The bundled program. */
export const SIGNER = join(projectDirectory(), 'dist/signer.cjs');

/** One run. */
export interface SignerRunOptions {
  /** A directory to work in. */
  readonly directory: string;
  /** Undefined: no Notary v1 signature. */
  readonly notaryUrl?: string;
  /** The files of the signing Secret. */
  readonly secret?: Readonly<Record<string, string>>;
  /** The files of the v2 signing Secret; undefined: no Notary Project signature. */
  readonly v2Secret?: Readonly<Record<string, string>>;
  /** Text of report.toml; undefined: there is none. */
  readonly report: string | undefined;
  /** Flags in place of `--report`. */
  readonly tags?: readonly string[];
  /** Credentials Secrets by host. */
  readonly credentials?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Files of mounted docker Secrets; those of basic-auth Secrets are for a host. */
  readonly registrySecrets?: readonly {
    readonly host?: string;
    readonly files: Readonly<Record<string, string>>;
  }[];
  /** Words before its command line, such as those of a memory limit. */
  readonly prefix?: readonly string[];
  /** Variables of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further flags. */
  readonly args?: readonly string[];
  /** Hears its log, as it comes. */
  readonly onOutput?: (text: string) => void;
  /** Kills it (SIGKILL) when aborted; then it has no outcome, and the run rejects. */
  readonly killer?: AbortSignal;
  /** After how many milliseconds it is killed as well; 30,000 by default. */
  readonly timeLimit?: number;
}

/** How it ended. */
export interface SignerRun extends CommandResult {
  readonly receipt: ReceiptLike;
  readonly terminationMessage: string;
  /** The line that says how it ended: of a failed run the last but one, else the last. */
  readonly lastLine: string;
  /** What kpack (0.12 and newer) shows in the Build when the run fails it. */
  readonly shownByKpack: string;
}

/** A receipt, as the contract has it. */
export interface ReceiptLike {
  readonly v: number;
  readonly result: string;
  readonly source: string;
  readonly code?: string;
  readonly message?: string;
  readonly fix?: string;
  readonly repositories: readonly {
    readonly gun: string;
    readonly result: string;
    readonly code?: string;
    readonly attempts: number;
    readonly v2?: {
      readonly result: string;
      readonly code?: string;
      readonly digest: string;
      readonly listed: string;
      readonly thumbprint: string;
      readonly notAfter: string;
      readonly expiry?: string;
      readonly timestamp?: { readonly time: string; readonly notAfter: string };
      readonly count: number;
    };
    readonly missedBy?: readonly {
      readonly reader: string;
      readonly tag: string;
      readonly sees: string;
      readonly role?: string;
    }[];
    readonly rootKeyIds: readonly string[];
    readonly roles: readonly { readonly name: string; readonly version: number }[];
    readonly targets: readonly {
      readonly tag: string;
      readonly sha256: string;
      readonly length: number;
    }[];
  }[];
}

/** A report.toml as the lifecycle writes it. */
export function reportToml(tags: readonly string[], sha256: string, size: number): string {
  return (
    '[build]\n\n[image]\n' +
    `tags = ${JSON.stringify(tags)}\ndigest = "sha256:${sha256}"\nmanifest-size = ${size}\n`
  );
}

/**
 * Runs a command line with the signer in it to its end. No secret that it was given may be in what
 * it tells.
 *
 * @throws Error when one is; or as {@link runCommand}
 */
export async function runWatched(
  options: CommandOptions & { readonly args: readonly string[] },
): Promise<CommandResult> {
  const result = await runCommand(options).catch(async (error: unknown) => {
    await demandSecretsKept(options, { output: String(error) });
    throw error;
  });
  await demandSecretsKept(options, { stdout: result.stdout, stderr: result.stderr });
  return result;
}

/** Runs `dist/signer.cjs` to its end, as {@link runWatched}. */
export async function runSigner(options: SignerRunOptions): Promise<SignerRun> {
  const directory = await mkdtemp(join(options.directory, 'run-'));
  const keyFlags: string[] = [];
  for (const [flag, files] of [
    ['key-dir', options.secret],
    ['v2-key-dir', options.v2Secret],
  ] as const) {
    if (files) keyFlags.push(`--${flag}=${await writeSecret(join(directory, flag), files)}`);
  }
  const report = join(directory, 'report.toml');
  if (options.report !== undefined) await writeFile(report, options.report);
  const credentials: string[] = [];
  for (const [host, files] of Object.entries(options.credentials ?? {})) {
    const place = await writeSecret(join(directory, `credentials-${credentials.length}`), files);
    credentials.push(`--notary-credentials=${host}=${place}`);
  }
  for (const [i, { host, files }] of (options.registrySecrets ?? []).entries()) {
    const place = await writeSecret(join(directory, `registry-${i}`), files);
    credentials.push(`--registry-credentials=${host === undefined ? '' : `${host}=`}${place}`);
  }
  const receiptFile = join(directory, 'receipt.json');
  const terminationLog = join(directory, 'termination-log');
  const [program = 'node', ...words]: readonly string[] = [...(options.prefix ?? []), 'node'];
  const result = await runWatched({
    program,
    args: [
      ...words,
      SIGNER,
      ...(options.tags?.map((tag) => `--tag=${tag}`) ?? [`--report=${report}`]),
      ...(options.notaryUrl === undefined ? [] : [`--notary-url=${options.notaryUrl}`]),
      ...keyFlags,
      `--receipt=${receiptFile}`,
      `--termination-log=${terminationLog}`,
      ...credentials,
      ...(options.args ?? []),
    ],
    directory,
    ...(options.env && { env: options.env }),
    ...(options.onOutput && { onOutput: options.onOutput }),
    ...(options.killer && { killer: options.killer }),
    ...(options.timeLimit !== undefined && { timeLimit: options.timeLimit }),
  });
  const receipt = JSON.parse(await readFile(receiptFile, 'utf8')) as ReceiptLike;
  const terminationMessage = await readFile(terminationLog, 'utf8');
  const lines = result.stdout.trimEnd().split('\n');
  const isText = !(options.args ?? []).includes('--log-format=json');
  return {
    ...result,
    receipt,
    terminationMessage,
    lastLine: lines.at(receipt.result === 'failed' && isText ? -2 : -1) ?? '',
    shownByKpack: shownByKpack(terminationMessage, lines.at(-1) ?? ''),
  };
}

/** How much kpack takes of the last line, in characters. */
const LONGEST_LAST_LINE = 800;

/** The message of a failed Build, as kpack makes it of a pod's first init container that failed. */
function shownByKpack(terminationMessage: string, lastLine: string): string {
  const from = 'kubectl logs -n apps app-build-1-build-pod -c notary-sign';
  return `Error:  ${terminationMessage} ${lastLine.slice(0, LONGEST_LAST_LINE)}: For more info use \`${from}\``;
}

/** Writes the files of a Secret as the kubelet mounts them; returns the directory. */
export async function writeSecret(
  directory: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  await mkdir(directory);
  for (const [name, content] of Object.entries(files))
    await writeFile(join(directory, name), content);
  return directory;
}
