import { readFlags } from '../shared/flags.ts';
import { parseNotaryUrl, type NotaryUrl } from '../shared/notary-url.ts';
import {
  SIGNER_FLAGS,
  type HostDirectory,
  type OnFailure,
  type SignerSettings,
} from '../shared/signer-flags.ts';
import { SigningError } from '../shared/signing-error.ts';

/** All that one run of the signer is told. */
export interface SignerOptions extends SignerSettings {
  readonly receiptFile?: string;
  /** Seconds for all work. */
  readonly deadline: number;
  readonly logFormat: 'text' | 'json';
}

const DEFAULT_DEADLINE_SECONDS = 300;

/**
 * Parses command line and environment.
 *
 * @throws SigningError OPTIONS_INVALID with all problems in one message
 */
export function parseSignerOptions(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): SignerOptions {
  const flags = readFlags(SIGNER_FLAGS, args, environment);
  const problems = [...flags.problems];
  const one = (name: keyof typeof SIGNER_FLAGS) => flags.values[name].at(-1);
  const required = (name: keyof typeof SIGNER_FLAGS) => {
    const value = one(name);
    if (value === undefined) problems.push(`--${name} is missing`);
    return value ?? '';
  };

  const report = one('report');
  const tags = flags.values.tag;
  if (report === undefined && tags.length === 0) problems.push('--report is missing');
  if (report !== undefined && tags.length > 0) problems.push('--tag goes without --report');

  const url = parseNotaryUrl(required('notary-url'));
  if (typeof url !== 'string' && one('notary-url') !== undefined) {
    problems.push(`--notary-url: ${url.problem}; expected ${url.expected}`);
  }
  const keyDirectory = required('key-dir');
  const notaryCredentials = flags.values['notary-credentials'].map((value) =>
    parseHostDirectory(value, problems),
  );
  const onFailure = one('on-failure') ?? 'fail';
  if (onFailure !== 'fail' && onFailure !== 'warn') {
    problems.push(`--on-failure is fail or warn, not ${onFailure}`);
  }
  const deadline = Number(one('deadline') ?? DEFAULT_DEADLINE_SECONDS);
  if (!Number.isFinite(deadline) || deadline <= 0) {
    problems.push('--deadline is a number of seconds');
  }
  const logFormat = one('log-format') ?? 'text';
  if (logFormat !== 'text' && logFormat !== 'json') {
    problems.push(`--log-format is text or json, not ${logFormat}`);
  }
  if (problems.length > 0) throw new SigningError('OPTIONS_INVALID', problems.join('; '));

  const terminationLog = one('termination-log');
  const receiptFile = one('receipt');
  return {
    source: report === undefined ? { tags } : { report },
    notaryUrl: url as NotaryUrl,
    keyDirectory,
    caFiles: flags.values['ca-file'],
    rootPins: flags.values['root-pin'],
    notaryCredentials,
    allowedTags: flags.values['allow-tag'],
    onFailure: onFailure as OnFailure,
    deadline,
    logFormat: logFormat as SignerOptions['logFormat'],
    ...(terminationLog !== undefined && { terminationLog }),
    ...(receiptFile !== undefined && { receiptFile }),
  };
}

function parseHostDirectory(value: string, problems: string[]): HostDirectory {
  const equals = value.indexOf('=');
  if (equals < 1 || equals === value.length - 1) {
    problems.push(`--notary-credentials is HOST=DIR, not ${value}`);
  }
  return { host: value.slice(0, equals), directory: value.slice(equals + 1) };
}
