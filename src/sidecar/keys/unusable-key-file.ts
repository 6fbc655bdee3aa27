import type { DamagedBlock, PemText } from '../../shared/pem.ts';
import { command } from '../../shared/shell-command.ts';

const AS_IT_IS = `Put the file into the Secret as it is: ${command`kubectl -n <namespace> create secret generic <name> --from-file=<key file> --from-file=notary-password.txt=<password file> --dry-run=client -o yaml | kubectl apply -f -`}, then build again.`;
const HYPHENS =
  'Write the first and the last line as -----BEGIN NAME----- and -----END NAME-----, with five hyphens on each side, then build again.';
const OWN_KEY = `Notary v1 needs a key of its own: ${command`docker trust key generate <name>`}.`;

const BLOCKS: readonly (readonly [label: RegExp, what: string, fix?: string])[] = [
  [/CERTIFICATE REQUEST$/, 'a certificate request'],
  [/CERTIFICATE$/, 'a certificate'],
  [/PUBLIC KEY$/, 'a public key'],
  [/^EC PARAMETERS$/, 'the name of a curve, without a key'],
  [
    /^OPENSSH PRIVATE KEY$/,
    'a key of OpenSSH',
    `Write a copy of it as PKCS#8: ${command`ssh-keygen -p -m PKCS8 -f <copy>`}, then build again.`,
  ],
  [/^ENCRYPTED (COSIGN|SIGSTORE) PRIVATE KEY$/, 'a key of cosign', OWN_KEY],
  [/^PGP /, 'a key of PGP', OWN_KEY],
  [/^DSA PRIVATE KEY$/, 'a DSA key', OWN_KEY],
];

const TEXTS: readonly (readonly [text: RegExp, what: string, fix?: string])[] = [
  [/^$/, 'it is empty'],
  [
    /^LS0tLS1CRUdJTi/,
    'it is base64 of a PEM file, encoded once too often',
    'Put the file itself under stringData, or encode it once under data.',
  ],
  [/BEGIN [A-Z0-9 ]{0,60}KEY/, 'its BEGIN line has not five hyphens on each side', HYPHENS],
  [/^[{[]/, 'it is JSON'],
  [/^(ssh-|ecdsa-sha2-)/, 'it is a public key of OpenSSH'],
  [
    /^0[^]{1,4}\u0002\u0001\u0003/,
    'it is PKCS#12',
    `Write its key as PEM: ${command`openssl pkcs12 -nocerts -in <file> -out <new file>`}, then build again.`,
  ],
  [
    /^[^]{0,20}[\0\ufffd]/,
    'it is binary (perhaps DER)',
    `Write it as PEM: ${command`openssl pkcs8 -topk8 -inform DER -in <file> -out <new file>`}, then build again.`,
  ],
];

/** What a PEM block with this label is (follows "is"), and what to do if that is more than taking the right file. */
export function unusableBlock(label: string) {
  const [, what, fix] = BLOCKS.find(([pattern]) => pattern.test(label)) ?? [];
  return { what: what ?? `a PEM block of another kind (${label.slice(0, 40)})`, fix };
}

/** What a file without a whole private key is (a sentence), and what to do as for a block. */
export function unusableFile(text: string, { blocks, damaged }: PemText) {
  const [lost] = damaged;
  if (lost) return { what: damageOf(lost), fix: AS_IT_IS };
  const block = blocks.find(({ label }) => label !== 'EC PARAMETERS') ?? blocks[0];
  if (block) {
    const { what, fix } = unusableBlock(block.label);
    return { what: `it holds ${what}`, fix };
  }
  const trimmed = text.trim();
  const [, what, fix] = TEXTS.find(([pattern]) => pattern.test(trimmed)) ?? [];
  return { what: what ?? 'it is no PEM', fix };
}

export function damageOf({ label, line, what }: DamagedBlock): string {
  return `its ${label.slice(0, 40)} in line ${line} ${what}`;
}
