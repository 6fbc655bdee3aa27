/** One whole block of a PEM text. */
export interface PemBlock {
  /** What follows BEGIN, as `ENCRYPTED PRIVATE KEY`. */
  readonly label: string;
  /** The `Name: value` lines at its beginning. */
  readonly headers: ReadonlyMap<string, string>;
  readonly bytes: Buffer;
}

/** What a PEM text holds. */
export interface PemText {
  readonly blocks: readonly PemBlock[];
  /** Labels of the blocks that begin and do not end. */
  readonly unended: readonly string[];
}

interface OpenBlock {
  readonly label: string;
  readonly headers: Map<string, string>;
  readonly lines: string[];
}

/** Characters of base64 in a line, as every program writes them. */
const LINE_LENGTH = 64;

/**
 * Reads PEM line by line, so that the time grows with the length alone. White space around lines, a
 * byte order mark, and whatever stands between the blocks do not matter.
 */
export function readPem(text: string): PemText {
  const blocks: PemBlock[] = [];
  const unended: string[] = [];
  let block: OpenBlock | undefined;
  for (const untrimmed of text.split(/[\r\n]+/)) {
    const line = untrimmed.trim();
    const [, edge, label = ''] = /^-----(BEGIN|END) ([^-]+)-----$/.exec(line) ?? [];
    if (edge === 'BEGIN') {
      if (block) unended.push(block.label);
      block = { label, headers: new Map(), lines: [] };
    } else if (edge === 'END') {
      if (block?.label === label) blocks.push(closed(block));
      else if (block) unended.push(block.label);
      block = undefined;
    } else if (block) {
      const [, name, value = ''] = /^([\w-]+):(.*)$/.exec(line) ?? [];
      if (name === undefined) block.lines.push(line);
      else block.headers.set(name, value.trim());
    }
  }
  if (block) unended.push(block.label);
  return { blocks, unended };
}

/** The block as text that every program reads; without headers. */
export function formatPem({ label, bytes }: PemBlock): string {
  const base64 = bytes.toString('base64');
  const lines = base64.match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function closed({ label, headers, lines }: OpenBlock): PemBlock {
  return { label, headers, bytes: Buffer.from(lines.join(''), 'base64') };
}

const CERTIFICATE_LABELS = ['CERTIFICATE', 'TRUSTED CERTIFICATE', 'X509 CERTIFICATE'];

/** The certificates among the blocks of a PEM text, each as text of its own. */
export function readPemCertificates(text: string): {
  readonly certificates: readonly string[];
  readonly unended: readonly string[];
} {
  const { blocks, unended } = readPem(text);
  const certificates = blocks.filter(({ label }) => CERTIFICATE_LABELS.includes(label));
  return { certificates: certificates.map(formatPem), unended };
}
