/** Finds secrets that a program was given in its output. */

/** A secret, and every text in which it would be recognised. */
export interface Secret {
  /** What it is and where it came from, without its value. */
  readonly kind: string;
  readonly forms: readonly string[];
}

/** The outputs of a program: a stream or a file by its name, and its content. */
export type ProgramOutputs = Readonly<Record<string, string>>;

/** Shorter ones would be found by chance. */
const SHORTEST = 6;
/** A file that errors name; there are passwords that it begins with. */
const FILE_NAME = /notary-password\.txt/g;
/** Whoever tells a part of a secret most often tells its beginning. */
const TELLING = 24;

/**
 * What no program may tell, whatever it was given. The secrets of the bed have `canary` in them: in
 * base64 that is one of three texts, by where it begins.
 */
const NEVER_TOLD: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['a canary', /canary|Y2FuYXJ5|jYW5hcn|NhbmFye/i],
  ['a JSON web token', /eyJ[\w-]{20,}/],
  ['a PEM block', /-----BEGIN/],
  ['an Authorization header', /\b(?:Basic|Bearer) [\w+/=.~-]{16,}/i],
];

/**
 * The check that holds of every run.
 *
 * @throws Error with the kind of the secret and the place where it was found, and never its value
 */
export function demandNoSecrets(secrets: readonly Secret[], outputs: ProgramOutputs): void {
  for (const [place, whole] of Object.entries(outputs)) {
    const text = whole.replace(FILE_NAME, '');
    for (const { kind, forms } of secrets) {
      const isTold = forms.some(
        (form) => form.length >= SHORTEST && text.includes(form.slice(0, TELLING)),
      );
      if (isTold) throw new Error(`a secret was printed: ${kind}, in ${place}`);
    }
    for (const [kind, pattern] of NEVER_TOLD) {
      if (pattern.test(text)) throw new Error(`a secret was printed: ${kind}, in ${place}`);
    }
  }
}

/**
 * The secrets among the files of a Secret, by their names: keys, passwords, docker configurations.
 * User names and certificates are none.
 *
 * @param where what the Secret is for
 */
export function secretsOfFiles(
  where: string,
  files: Readonly<Record<string, string>>,
): readonly Secret[] {
  return Object.entries(files).flatMap(([name, text]): readonly Secret[] => {
    const kind = `${name} of ${where}`;
    if (name.endsWith('.key')) return [{ kind, forms: keyLines(text) }];
    if (name === 'password' || name === 'notary-password.txt') {
      return [{ kind, forms: passwordForms(text.trim(), files['username']?.trim()) }];
    }
    if (/^\.docker(?:configjson|cfg)$/.test(name)) return [{ kind, forms: dockerForms(text) }];
    return [];
  });
}

/** The password of a URL, or of `user:password@host`, wherever one is in the text. */
export function secretsOfUrl(kind: string, text: string): readonly Secret[] {
  return [...text.matchAll(/(?:^|\/\/)([^\s/:@=]*):([^\s/@]+)@/g)].map(
    ([, user = '', password = '']) => ({
      kind,
      forms: [password, ...passwordForms(decoded(password), decoded(user))],
    }),
  );
}

/** A password as it is, and as headers, URLs and JSON have it. */
function passwordForms(password: string, user?: string): readonly string[] {
  return [
    password,
    new URLSearchParams({ password }).toString().replace('password=', ''),
    JSON.stringify(password).slice(1, -1),
    base64(password),
    ...(user === undefined || password === '' ? [] : [base64(`${user}:${password}`)]),
  ];
}

/** The lines of private keys; of a file without PEM, all that may be base64. */
function keyLines(text: string): readonly string[] {
  const blocks = [...text.matchAll(/-----BEGIN [^\n]*PRIVATE KEY-----([^]*?)(?:-----END|$)/g)];
  const bodies = text.includes('-----BEGIN') ? blocks.map(([, body = '']) => body) : [text];
  return bodies
    .flatMap((body) => body.split(/\s*\n\s*/))
    .filter((line) => /^[\w+/=-]{16,}$/.test(line));
}

/** Whatever opens a registry: one that is no JSON is a secret as a whole. */
function dockerForms(text: string): readonly string[] {
  try {
    const forms: string[] = [];
    JSON.parse(text, (name, value: unknown) => {
      if (typeof value !== 'string') return value;
      if (/^(?:password|identitytoken|registrytoken)$/.test(name)) {
        forms.push(...passwordForms(value));
      }
      if (name === 'auth') {
        const [, ...password] = Buffer.from(value, 'base64').toString().split(':');
        if (password.join(':') !== '') forms.push(value, ...passwordForms(password.join(':')));
      }
      return value;
    });
    return forms;
  } catch {
    return text.split('\n').map((line) => line.trim());
  }
}

function base64(text: string): string {
  // Without its end, which depends on what follows.
  return Buffer.from(text).toString('base64').replace(/.?=+$/, '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
