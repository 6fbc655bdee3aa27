import { readDer, SEQUENCE } from './der.ts';

/** One complete block of a PEM text. */
export interface PemBlock {
  /** What follows BEGIN, such as `ENCRYPTED PRIVATE KEY`. */
  readonly label: string;
  /** The `Name: value` lines at its beginning. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Buffer;
}

/** A block, and how it stands in its text. */
export interface FoundBlock extends PemBlock {
  /** Whether BEGIN and END are on lines of their own. Go ignores other blocks. */
  readonly hasOwnLines: boolean;
}

/** A block that is not complete. */
export interface DamagedBlock {
  readonly label: string;
  /** The line of its BEGIN, counted from 1. */
  readonly line: number;
  /** What is wrong, as the rest of a sentence whose subject is the block. */
  readonly what: string;
}

export interface PemText {
  readonly blocks: readonly FoundBlock[];
  readonly damaged: readonly DamagedBlock[];
}

interface Edge {
  readonly label: string;
  readonly line: number;
  /** The index of the first character after it. */
  readonly end: number;
  readonly hasOwnLine: boolean;
}

/** Every program writes this many base64 characters in a line. */
const LINE_LENGTH = 64;
/** Nobody writes more blanks around a line. */
const MOST_BLANKS = 80;
const EDGE = /-----(BEGIN|END) ([^-\r\n]{1,100})-----/g;
/** A line end, also one that JSON, YAML or a shell has escaped. */
const LINE_END = /\r|\n|\\r|\\n/;
const HEADER = /^([\w-]+):(.*)$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Parses PEM in linear time. It ignores white space, a byte order mark, lost or literal line ends
 * (`\n`), lines that begin with `#`, and text around the blocks. It accepts a block with another label
 * at its end if the content is complete.
 */
export function readPem(text: string): PemText {
  const blocks: FoundBlock[] = [];
  const damaged: DamagedBlock[] = [];
  let line = 1;
  let counted = 0;
  let open: Edge | undefined;
  const lose = ({ label, line }: Edge, what: string) => damaged.push({ label, line, what });
  for (const { 0: mark, 1: edge, 2: label = '', index } of text.matchAll(EDGE)) {
    line += text.slice(counted, index).split('\n').length - 1;
    counted = index;
    const end = index + mark.length;
    const hasOwnLine = standsAlone(text, index, end);
    if (edge === 'BEGIN') {
      if (open) lose(open, 'has no end');
      open = { label, line, end, hasOwnLine };
    } else if (open) {
      const { headers, bytes, flaw } = readBody(text.slice(open.end, index));
      if (flaw !== undefined) lose(open, flaw);
      else if (open.label !== label && !isWhole(bytes)) lose(open, `ends as ${label}`);
      else
        blocks.push({
          label: open.label,
          headers,
          bytes,
          hasOwnLines: open.hasOwnLine && hasOwnLine,
        });
      open = undefined;
    }
  }
  if (open) lose(open, 'has no end');
  return { blocks, damaged };
}

/** Whether the line holds only blanks before the start index and after the end index. */
function standsAlone(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - MOST_BLANKS), start);
  const after = text.slice(end, end + MOST_BLANKS);
  return /(?:^|[\r\n])\s*$/.test(before) && /^\s*(?:[\r\n]|$)/.test(after);
}

function readBody(text: string): Pick<PemBlock, 'headers' | 'bytes'> & { readonly flaw?: string } {
  const headers = new Map<string, string>();
  const lines: string[] = [];
  for (const untrimmed of text.split(LINE_END)) {
    const line = untrimmed.trim();
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    if (name !== undefined) headers.set(name, value.trim());
    else if (!line.startsWith('#')) lines.push(line);
  }
  const base64 = lines.join('').replace(/\s+/g, '');
  const bytes = Buffer.from(base64, 'base64');
  if (BASE64.test(base64)) return { headers, bytes };
  const [foreign = '='] = /[^A-Za-z0-9+/=]/u.exec(base64) ?? [];
  return { headers, bytes, flaw: `holds ${nameOf(foreign)}, which is no base64` };
}

/** Names a character by its code point, because it may be invisible. */
function nameOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `the character U+${code}`;
}

/** Whether the bytes are exactly one DER value, as every key and certificate is. */
function isWhole(bytes: Buffer): boolean {
  try {
    const [first, ...others] = readDer(bytes);
    return first?.tag === SEQUENCE && others.length === 0;
  } catch {
    return false;
  }
}

/** The block as a PEM text that every program can read, without headers. */
export function formatPem({ label, bytes }: PemBlock): string {
  const base64 = bytes.toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const CERTIFICATE_LABELS = ['CERTIFICATE', 'TRUSTED CERTIFICATE', 'X509 CERTIFICATE'];

/** The certificates of a PEM text, each as a PEM text of its own. */
export function readPemCertificates(text: string): {
  readonly certificates: readonly string[];
  readonly damaged: readonly DamagedBlock[];
} {
  const { blocks, damaged } = readPem(text);
  const isCertificate = ({ label }: { readonly label: string }) =>
    CERTIFICATE_LABELS.includes(label);
  return {
    certificates: blocks.filter(isCertificate).map(formatPem),
    damaged: damaged.filter(isCertificate),
  };
}
