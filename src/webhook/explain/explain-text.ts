import { ANNOTATION } from '../../shared/names.ts';
import { cut } from '../../shared/shown-value.ts';
import type { Explanation } from './explain.ts';
import type { Signing, V2Signing } from './explain-signing.ts';
import type { ImageCheck } from './signer-image-check.ts';

const WORDS: Readonly<Record<Explanation['outcome'], string>> = {
  signed: 'would be signed',
  unsigned: 'left unsigned',
  refused: 'would be refused',
  unknown: 'unknown',
};

/** Whatever people wrote stays within its line, and tells a terminal nothing. */
const printable = (line: string) => cut(line, Infinity);

/** An explanation for people: one line, and what stands behind it, indented. */
export function textOf(explanation: Explanation): string {
  const { kind, namespace, name, outcome, code, reason, fix, isAudit } = explanation;
  const { signing, warnings, missing } = explanation;
  const audit = isAudit ? ' (audit mode: nothing is done)' : '';
  const lines = [
    `${kind} ${namespace}/${name}: ${WORDS[outcome]}${audit}`,
    row('why', `${code}: ${reason}`),
    ...(fix === undefined ? [] : [row('fix', fix)]),
    ...(signing ? rowsOf(signing) : []),
    ...warnings.map((warning) => row('warning', warning)),
    ...missing.map((what) => row('NOT FOUND', what)),
  ];
  return lines.map(printable).join('\n');
}

function rowsOf(signing: Signing): string[] {
  const { v2, registryCaSecret, onFailure, tags } = signing;
  return [
    ...v1Rows(signing),
    ...(v2 ? v2Rows(v2) : []),
    ...(registryCaSecret === undefined ? [] : [row('registry CA', `Secret ${registryCaSecret}`)]),
    row('on failure', onFailure === 'warn' ? 'the build goes on unsigned' : 'the build fails'),
    ...tags.map((tag) => row('tag', tag)),
  ];
}

function v1Rows({ url, source, secret, caSecret, credentials, rootPins }: Signing): string[] {
  if (url === undefined) return [];
  return [
    row('server', `${url}, by ${source}`),
    row('key', `Secret ${secret}`),
    ...(caSecret === undefined ? [] : [row('CA', `Secret ${caSecret}`)]),
    ...(credentials ?? []).map((name) => row('credentials', `Secret ${name}`)),
    ...(rootPins ?? []).map((pin) => row('root pin', pin)),
  ];
}

function v2Rows({ source, secret, timestamp, expiry, onFailure }: V2Signing): string[] {
  return [
    row('v2 key', `Secret ${secret}, by ${source}`),
    row(
      'v2 timestamp',
      timestamp
        ? `${timestamp.url}, its CA in Secret ${timestamp.caSecret}`
        : `none: signatures end with the certificates; see ${ANNOTATION.timestampUrl}`,
    ),
    ...(expiry === undefined ? [] : [row('v2 expiry', expiry)]),
    ...(onFailure === 'warn' ? [row('v2 failure', 'v1 alone decides about the build')] : []),
  ];
}

/** What became of looking for the image of the signer. */
export function imageTextOf(image: string, { state, detail }: ImageCheck): string {
  return `Signer image ${image}: ${state}${detail === '' ? '' : ` (${detail})`}`;
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(12)} ${text}`;
}
