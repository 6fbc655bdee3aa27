/** What the annotations for v2 may say, and what they may say under those of the Namespace. */
import {
  annotated,
  EVERYWHERE,
  IN_KPACK,
  on,
  ON_NAMESPACES,
  paired,
  rule,
  secretName,
  WELL,
  NAME_FIELD,
  type NotaryRule,
} from './notary-rule.ts';
import { ADMIN, P } from './build-fixture.ts';

const KEY = { 'v2.secretRef': 'notary-v2-signing' };
const STAMP = {
  'v2.timestampUrl': 'http://timestamp.example.com',
  'v2.timestampCaSecretRef': 'timestamp-ca',
};
/** Annotations with the Secret of v2 unless they have it already. */
const keyed = (annotations: Record<string, string> = {}) => annotated({ ...KEY, ...annotations });

const VALUES: readonly NotaryRule[] = [
  rule(
    EVERYWHERE,
    'an empty Secret for v2',
    'no Secret is named, and v2 is not turned off so',
    keyed({ 'v2.secretRef': '' }),
    keyed(),
    on('v2.secretRef'),
    'found ""',
    'for example notary-v2-signing',
  ),
  rule(
    EVERYWHERE,
    'a Secret of another namespace for v2',
    'it cannot be mounted',
    keyed({ 'v2.secretRef': 'kpack/notary-v2-signing' }),
    keyed(),
    on('v2.secretRef'),
    'as no other can be mounted',
  ),
  rule(
    EVERYWHERE,
    'a timestamp server without a CA',
    'nobody could check its timestamps',
    keyed({ 'v2.timestampUrl': STAMP['v2.timestampUrl'] }),
    keyed(STAMP),
    on('v2.timestampCaSecretRef'),
    'found nothing',
    `${P}v2.timestampUrl only goes with it`,
  ),
  rule(
    EVERYWHERE,
    'the CA of a timestamp server without the server',
    'they only go together',
    keyed({ 'v2.timestampCaSecretRef': 'timestamp-ca' }),
    keyed(STAMP),
    on('v2.timestampUrl'),
    'found nothing',
    'for example notary.kpack.io/v2.timestampUrl: http://timestamp.example.com',
  ),
  rule(
    EVERYWHERE,
    'settings for v2 without a Secret',
    'nothing would be signed with v2, or by a key that somebody else set these for',
    annotated({ ...STAMP, 'v2.expiry': '8760h', 'v2.on-failure': 'warn' }),
    keyed({ ...STAMP, 'v2.expiry': '8760h', 'v2.on-failure': 'warn' }),
    on('v2.secretRef'),
    'found nothing',
    `${P}v2.timestampUrl, ${P}v2.timestampCaSecretRef, ${P}v2.expiry, and ${P}v2.on-failure only go with it`,
  ),
  rule(
    EVERYWHERE,
    'a timestamp server that is no URL',
    'it does not say where the server is',
    keyed({ ...STAMP, 'v2.timestampUrl': 'timestamp.example.com' }),
    keyed({ ...STAMP, 'v2.timestampUrl': 'https://timestamp.example.com/tsa' }),
    on('v2.timestampUrl'),
    'has no scheme',
    'expected an http or https URL',
  ),
  rule(
    EVERYWHERE,
    'a timestamp server with credentials',
    'timestamp servers get none, and everybody could read them here',
    keyed({ ...STAMP, 'v2.timestampUrl': 'https://user:canary@timestamp.example.com' }),
    keyed(STAMP),
    on('v2.timestampUrl'),
    'holds credentials',
  ),
  rule(
    EVERYWHERE,
    'an empty timestamp server',
    'it does not say where the server is',
    keyed({ ...STAMP, 'v2.timestampUrl': '' }),
    keyed(),
    on('v2.timestampUrl'),
    'the URL of a timestamp server',
  ),
  rule(
    EVERYWHERE,
    'an empty Secret for the CA of the timestamp server',
    'no Secret is named',
    keyed({ ...STAMP, 'v2.timestampCaSecretRef': '' }),
    keyed(STAMP),
    on('v2.timestampCaSecretRef'),
    'for example timestamp-ca',
  ),
  rule(
    EVERYWHERE,
    'an expiry in days',
    'durations are in hours, minutes and seconds, as in Kubernetes',
    keyed({ 'v2.expiry': '365d' }),
    keyed({ 'v2.expiry': '8760h' }),
    on('v2.expiry'),
    'found "365d"',
    'such as 8760h',
  ),
  rule(
    EVERYWHERE,
    'an expiry of zero',
    'every signature would be expired at once',
    keyed({ 'v2.expiry': '0h' }),
    keyed({ 'v2.expiry': '1h30m' }),
    on('v2.expiry'),
    'above zero',
  ),
  rule(
    EVERYWHERE,
    'a mistyped value of v2.on-failure',
    'values are exact',
    keyed({ 'v2.on-failure': 'warning' }),
    keyed({ 'v2.on-failure': 'warn' }),
    on('v2.on-failure'),
    'expected warn (did you mean that?)',
  ),
  rule(
    EVERYWHERE,
    'an empty Secret for the CA of the registry',
    'no Secret is named',
    keyed({ 'v2.registryCaSecretRef': '' }),
    keyed({ 'v2.registryCaSecretRef': 'registry-ca' }),
    on('v2.registryCaSecretRef'),
    'for example registry-ca',
  ),
  rule(
    ON_NAMESPACES,
    'the CA of the registry in another namespace',
    'it cannot be mounted',
    annotated({ 'v2.registryCaSecretRef': 'kpack/registry-ca' }),
    annotated({ 'v2.registryCaSecretRef': 'registry-ca' }),
    on('v2.registryCaSecretRef'),
    'as no other can be mounted',
  ),
  rule(
    EVERYWHERE,
    'a mistyped annotation for v2',
    'it would be ignored',
    keyed({ 'v2.timestampURI': STAMP['v2.timestampUrl'], 'v2.timestampCaSecretRef': 'x' }),
    keyed(STAMP),
    on('v2.timestampURI'),
    `expected ${P}v2.timestampUrl (did you mean that?)`,
  ),
  rule(
    EVERYWHERE,
    'an annotation of v1 under v2',
    'v2 pushes to the registry, and has no server of its own',
    keyed({ 'v2.url': 'https://notary.example.com' }),
    keyed(),
    on('v2.url'),
    `expected one of ${P}on-failure, ${P}v2.secretRef, ${P}v2.timestampUrl`,
  ),
  rule(
    EVERYWHERE,
    'on-failure under v1',
    'it is for both',
    paired({ 'v1.on-failure': 'warn' }),
    paired({ 'on-failure': 'warn' }),
    on('v1.on-failure'),
    `expected ${P}on-failure (did you mean that?)`,
  ),
];

/** What the admin says of v2, and what an Image says alike. */
const THEIRS = {
  'v2.secretRef': 'admin-v2-key',
  'v2.timestampUrl': 'https://timestamp.admin.example.com',
  'v2.timestampCaSecretRef': 'admin-timestamp-ca',
  'v2.expiry': '720h',
};
const ASKING = annotated(THEIRS).annotations ?? {};
const OPTED_OUT = { signing: 'disabled' };

const under = (admin: Readonly<Record<string, string>>, given: NotaryRule): NotaryRule => ({
  ...given,
  admin: { ...admin },
});

const LEVELS: readonly NotaryRule[] = [
  under(
    ASKING,
    rule(
      IN_KPACK,
      'a v2 Secret of its own without a timestamp',
      'the Namespace asks for timestamps, and verifiers may refuse signatures without',
      keyed(),
      keyed(STAMP),
      on('v2.timestampUrl'),
      'since the Namespace apps asks for timestamps, or no notary.kpack.io/v2.secretRef',
      `for example ${P}v2.timestampUrl: https://timestamp.admin.example.com and ${P}v2.timestampCaSecretRef: admin-timestamp-ca`,
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      "the Namespace's v2 Secret with another timestamp server",
      "the admin's key goes with the admin's settings",
      annotated({ ...THEIRS, 'v2.timestampUrl': STAMP['v2.timestampUrl'] }),
      annotated(THEIRS),
      on('v2.timestampUrl'),
      'expected "https://timestamp.admin.example.com", as the Namespace apps has it with its Secret admin-v2-key',
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      "the Namespace's v2 Secret with another CA of the timestamp server",
      "the admin's key goes with the admin's settings",
      annotated({ ...THEIRS, 'v2.timestampCaSecretRef': 'timestamp-ca' }),
      annotated({ 'v2.secretRef': 'admin-v2-key' }),
      on('v2.timestampCaSecretRef'),
      'expected "admin-timestamp-ca", as the Namespace apps has it',
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      "the Namespace's v2 Secret with another expiry",
      "the admin's key goes with the admin's settings",
      annotated({ ...THEIRS, 'v2.expiry': '8760h' }),
      annotated({ ...THEIRS, 'v2.expiry': '719h60m' }),
      on('v2.expiry'),
      'expected "720h", as the Namespace apps has it',
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      'a v2 Secret of its own without a timestamp, opted out',
      "opting out takes the signature away, and nothing from the admin's rules",
      keyed(OPTED_OUT),
      keyed({ ...STAMP, ...OPTED_OUT }),
      on('v2.timestampUrl'),
      'since the Namespace apps asks for timestamps',
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      "the Namespace's v2 Secret as the key of v1",
      "the admin's key would sign for a server of the developer",
      secretName('admin-v2-key'),
      WELL,
      NAME_FIELD,
      'expected another Secret, since that one holds a signing key of the Namespace apps',
    ),
  ),
  under(
    ASKING,
    rule(
      IN_KPACK,
      "the Namespace's v2 Secret as the key of v1, as annotations",
      "the admin's key would sign for a server of the developer",
      paired({ 'v1.secretRef': 'admin-v2-key' }),
      paired(),
      on('v1.secretRef'),
      'holds a signing key of the Namespace apps',
    ),
  ),
  under(
    ADMIN,
    rule(
      IN_KPACK,
      "the Namespace's v1 Secret as the key of v2",
      'the admin gave it to sign at a Notary server alone',
      keyed({ ...STAMP, 'v2.secretRef': 'admin-key' }),
      keyed(STAMP),
      on('v2.secretRef'),
      'holds a signing key of the Namespace apps',
    ),
  ),
  ...(['v1.caSecretRef', 'v2.timestampCaSecretRef', 'v2.registryCaSecretRef'] as const).map(
    (field) =>
      under(
        { ...ADMIN, ...ASKING },
        rule(
          IN_KPACK,
          `the Namespace's v2 Secret as a CA: ${field}`,
          'a CA counts as public, and a key must not',
          annotated({
            'v1.url': 'https://notary.example.com',
            'v1.secretRef': 'notary-signing',
            ...KEY,
            ...STAMP,
            [field]: 'admin-v2-key',
          }),
          annotated({ ...KEY, ...STAMP, 'v2.registryCaSecretRef': 'registry-ca' }),
          on(field),
          'expected another Secret, since that one holds a signing key of the Namespace apps',
        ),
      ),
  ),
  under(
    ADMIN,
    rule(
      IN_KPACK,
      "the Namespace's v1 Secret as the CA of the registry",
      'a CA counts as public, and a key must not',
      annotated({ 'v2.registryCaSecretRef': 'admin-key' }),
      annotated({ 'v2.registryCaSecretRef': 'registry-ca' }),
      on('v2.registryCaSecretRef'),
      'expected another Secret',
    ),
  ),
];

export const V2: readonly NotaryRule[] = [...VALUES, ...LEVELS];
