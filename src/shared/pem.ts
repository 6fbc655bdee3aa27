import { readDer, SEQUENCE } from './der.ts';

/** One whole block of a PEM text. */
export interface PemBlock {
  /** What follows BEGIN, as `ENCRYPTED PRIVATE KEY`. */
  readonly label: string;
  /** The `Name: value` lines at its beginning. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Buffer;
}

/** A block of a PEM text and where it stands. */
export interface FoundBlock extends PemBlock {
  /** Whether BEGIN and END have lines of their own; Go reads no others. */
  readonly hasOwnLines: boolean;
}

/** A block that is not whole. */
export interface DamagedBlock {
  readonly label: string;
  /** The line of its BEGIN, from 1. */
  readonly line: number;
  /** What is wrong; follows the name of what it is. */
  readonly what: string;
}

/** What a PEM text holds. */
export interface PemText {
  readonly blocks: readonly FoundBlock[];
  readonly damaged: readonly DamagedBlock[];
}

interface Edge {
  readonly label: string;
  readonly line: number;
  /** Where the text goes on after it. */
  readonly end: number;
  readonly hasOwnLine: boolean;
}

/** Characters of base64 in a line, as every program writes them. */
const LINE_LENGTH = 64;
/** More blanks than anybody writes around a line. */
const MOST_BLANKS = 80;
const EDGE = /-----(BEGIN|END) ([^-\r\n]{1,100})-----/g;
/** Where a line ends: also as JSON, YAML and shells write that in one line. */
const LINE_END = /\r|\n|\\r|\\n/;
const HEADER = /^([\w-]+):(.*)$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/**
 * Reads PEM in time that grows with the length alone. White space, a byte order mark, lost or
 * literal line ends (`\n`), lines that begin with `#`, and whatever stands around the blocks do not
 * matter. A block that ends under another name counts where its content is whole.
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

/** Whether nothing but blanks is on the line beside what is between two places. */
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

/** A character by its number: it may be invisible. */
function nameOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `the character U+${code}`;
}

/** Whether bytes are one value of DER from beginning to end, as keys and certificates are. */
function isWhole(bytes: Buffer): boolean {
  try {
    const [first, ...others] = readDer(bytes);
    return first?.tag === SEQUENCE && others.length === 0;
  } catch {
    return false;
  }
}

/** The block as text that every program reads; without headers. */
export function formatPem({ label, bytes }: PemBlock): string {
  const base64 = bytes.toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const CERTIFICATE_LABELS = ['CERTIFICATE', 'TRUSTED CERTIFICATE', 'X509 CERTIFICATE'];

/** The certificates among the blocks of a PEM text, each as text of its own. */
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
