import type { FlagValues } from '../shared/flags.ts';
import { DURATION_FORM, parseDuration } from '../shared/duration.ts';
import { parseNotaryUrl, type NotaryUrl } from '../shared/notary-url.ts';
import { show } from '../shared/shown-value.ts';
import {
  SIGNER_FLAGS,
  type MountedCredentials,
  type OnFailure,
  type SignatureSettings,
  type SignerSettings,
  type StepFiles,
  type V1Settings,
  type V2Settings,
} from '../shared/signer-flags.ts';
import { parseTimestampUrl, type TimestampUrl } from '../shared/timestamp-url.ts';
import { SigningError } from '../shared/signing-error.ts';

/** What one run of the signer is to do. */
export interface SignerOptions extends SignerSettings {
  /** Seconds for all work, without waiting for the step before. */
  readonly deadline: number;
  /** Everything but the publish. */
  readonly dryRun: boolean;
  readonly stepFiles: StepFiles;
}

/** Where a run says what became of it. */
export interface OutputOptions extends Omit<StepFiles, 'waitFile'> {
  readonly terminationLog: string | undefined;
  readonly receiptFile: string | undefined;
  readonly logFormat: 'text' | 'json';
}

/** What was given for each flag of the signer, not yet judged. */
export type SignerFlags = FlagValues<typeof SIGNER_FLAGS>;

/** Reads the outputs from a command line that may be wrong elsewhere. */
export function readOutputOptions({ values }: SignerFlags): OutputOptions {
  return {
    terminationLog: values['termination-log'].at(-1),
    receiptFile: values.receipt.at(-1),
    logFormat: values['log-format'].at(-1) === 'json' ? 'json' : 'text',
    doneFile: values['done-file'].at(-1),
    errorFile: values['error-file'].at(-1),
  };
}

const DEFAULT_DEADLINE_SECONDS = '300';
/** A run signs with Notary v1 if any of these is given, or none of the others. */
const V1_FLAGS = ['notary-url', 'key-dir', 'ca-file', 'root-pin', 'notary-credentials'] as const;
const V2_FLAGS = [
  'v2-key-dir',
  'v2-timestamp-url',
  'v2-timestamp-ca-file',
  'v2-expiry',
  'v2-on-failure',
] as const;
const KEY_ID = /^[0-9a-f]{64}$/;
/** A day; timers of over 24 days would fire at once. */
const LONGEST_DEADLINE_SECONDS = 86_400;

/**
 * Judges what was given.
 *
 * @throws SigningError OPTIONS_INVALID with all problems in one message
 */
export function parseSignerOptions(flags: SignerFlags): SignerOptions {
  const problems = [...flags.problems];
  const one = (name: keyof typeof SIGNER_FLAGS) => flags.values[name].at(-1);
  const required = (name: keyof typeof SIGNER_FLAGS) => {
    const value = one(name);
    if (value === undefined) problems.push(`--${name} is missing`);
    return value ?? '';
  };

  const report = one('report');
  const tags = flags.values.tag;
  if (report === undefined && tags.length === 0) problems.push('--report is missing, or --tag');
  if (report !== undefined && tags.length > 0)
    problems.push('--tag and --report exclude each other');

  const mounted = (flag: 'notary-credentials' | 'registry-credentials') =>
    flags.values[flag].map((value): MountedCredentials => {
      const equals = value.indexOf('=');
      // What begins like a path is one, whatever it holds; a host begins otherwise.
      const isDocker = flag === 'registry-credentials' && (/^[/.]/.test(value) || equals === -1);
      if (isDocker) return { host: undefined, directory: value };
      if (equals < 1 || equals === value.length - 1) problems.push(`--${flag} is HOST=DIR`);
      return { host: value.slice(0, equals), directory: value.slice(equals + 1) };
    });
  const registryCredentials = mounted('registry-credentials');
  const choose = <Choice extends string>(
    name: keyof typeof SIGNER_FLAGS,
    usual: Choice,
    other: Choice,
  ): Choice => {
    const value = one(name) ?? usual;
    if (value === usual || value === other) return value as Choice;
    problems.push(`--${name} is ${usual} or ${other}, not ${show(value)}`);
    return usual;
  };
  const readV1 = (): V1Settings => {
    const url = parseNotaryUrl(required('notary-url'));
    if (typeof url !== 'string' && one('notary-url') !== undefined) {
      problems.push(`--notary-url: ${url.problem}; expected ${url.expected}`);
    }
    for (const pin of flags.values['root-pin']) {
      if (!KEY_ID.test(pin))
        problems.push(`--root-pin is a key id of 64 hex digits, not ${show(pin)}`);
    }
    return {
      notaryUrl: url as NotaryUrl,
      keyDirectory: required('key-dir'),
      caFiles: flags.values['ca-file'],
      rootPins: flags.values['root-pin'],
      notaryCredentials: mounted('notary-credentials'),
    };
  };
  const readTimestamp = (): V2Settings['timestamp'] => {
    const [text, caFile] = [one('v2-timestamp-url'), one('v2-timestamp-ca-file')];
    if (text === undefined && caFile === undefined) return undefined;
    const url = parseTimestampUrl(required('v2-timestamp-url'));
    if (typeof url !== 'string' && text !== undefined) {
      problems.push(`--v2-timestamp-url: ${url.problem}; expected ${url.expected}`);
    }
    return { url: url as TimestampUrl, caFile: required('v2-timestamp-ca-file') };
  };
  const readV2 = (): V2Settings => {
    const expiry = one('v2-expiry');
    if (expiry !== undefined && parseDuration(expiry) === undefined) {
      problems.push(`--v2-expiry is ${DURATION_FORM}, not ${show(expiry)}`);
    }
    return {
      keyDirectory: required('v2-key-dir'),
      timestamp: readTimestamp(),
      expiry,
      onFailure: choose<OnFailure>('v2-on-failure', 'fail', 'warn'),
    };
  };
  const given = (names: readonly (keyof typeof SIGNER_FLAGS)[]) =>
    names.some((name) => flags.values[name].length > 0);
  const v2 = given(V2_FLAGS) ? readV2() : undefined;
  const signatures: SignatureSettings =
    v2 && !given(V1_FLAGS) ? { v1: undefined, v2 } : { v1: readV1(), v2 };
  const onFailure = choose<OnFailure>('on-failure', 'fail', 'warn');
  const seconds = one('deadline') ?? DEFAULT_DEADLINE_SECONDS;
  const deadline = Number(seconds);
  if (!/^\d+(?:\.\d+)?$/.test(seconds) || deadline <= 0 || deadline > LONGEST_DEADLINE_SECONDS) {
    problems.push(`--deadline is a number of seconds up to ${LONGEST_DEADLINE_SECONDS}`);
  }
  choose('log-format', 'text', 'json');
  const dryRun = one('dry-run') === 'true';
  if (dryRun && one('done-file') !== undefined) {
    problems.push('--dry-run and --done-file exclude each other: the build would go on unsigned');
  }
  if (problems.length > 0) throw new SigningError('OPTIONS_INVALID', problems.join('; '));

  return {
    source: report === undefined ? { tags } : { report },
    signatures,
    registryCredentials,
    registryCaFiles: flags.values['registry-ca-file'],
    allowedTags: flags.values['allow-tag'],
    onFailure,
    deadline,
    dryRun,
    stepFiles: {
      waitFile: one('wait-file'),
      doneFile: one('done-file'),
      errorFile: one('error-file'),
    },
  };
}
