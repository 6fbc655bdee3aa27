/** One challenge of a WWW-Authenticate header; names are lower-case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = String.raw`[!#$%&'*+.^_\`|~0-9A-Za-z-]+`;
const PARAMETER = new RegExp(
  String.raw`\s*(${TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))`,
  'y',
);
const SCHEME = new RegExp(String.raw`[\s,]*(${TOKEN})(?=[\s,]|$)`, 'y');
/** What some schemes have in place of parameters, such as `Negotiate YII=`. */
const TOKEN68 = /\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)/y;
const SEPARATOR = /\s*,/y;

/**
 * Reads a WWW-Authenticate header (RFC 9110 11.6.1): several challenges in one line, names in any
 * case, values with or without quotes. What cannot be read ends the list.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: Challenge[] = [];
  let position = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = position;
    const match = pattern.exec(header);
    if (match) position = pattern.lastIndex;
    return match;
  };
  for (let scheme = take(SCHEME); scheme; scheme = take(SCHEME)) {
    const parameters = new Map<string, string>();
    take(TOKEN68);
    for (let parameter = take(PARAMETER); parameter; parameter = take(PARAMETER)) {
      const [, name = '', quoted, bare] = parameter;
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '');
      // The comma may end the challenge: then the next word is a scheme, not a parameter.
      take(SEPARATOR);
    }
    challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters });
  }
  return challenges;
}
