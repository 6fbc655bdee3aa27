/** What an Image or Build may say where the admin has said something on its Namespace. */
import {
  annotated,
  IN_KPACK,
  on,
  rule,
  secretName,
  URL_FIELD,
  type NotaryRule,
} from './notary-rule.ts';
import { ADMIN, OTHER_PIN, P, PIN } from './build-fixture.ts';

const PINNED = { [`${P}v1.rootPin`]: PIN };
const KEYED = { ...ADMIN, [`${P}v1.caSecretRef`]: 'admin-ca' };
/** What the admin says, as an Image says it. */
const KEY = {
  'v1.url': ADMIN[`${P}v1.url`],
  'v1.secretRef': ADMIN[`${P}v1.secretRef`],
};
const OPTED_OUT = annotated({ signing: 'disabled' });
const under = (admin: Record<string, string>, given: NotaryRule): NotaryRule => ({
  ...given,
  admin,
});

export const LEVELS: readonly NotaryRule[] = [
  under(
    PINNED,
    rule(
      IN_KPACK,
      'a root pin that the Namespace does not allow',
      'its pins can be narrowed, never replaced',
      annotated({ 'v1.rootPin': OTHER_PIN }),
      annotated({ 'v1.rootPin': `${OTHER_PIN},${PIN}` }),
      on('v1.rootPin'),
      'expected one that the Namespace apps allows',
    ),
  ),
  under(
    KEYED,
    rule(
      IN_KPACK,
      "the Namespace's Secret with another url",
      "the admin's key signs for the admin's server alone",
      secretName('admin-key'),
      secretName('notary-signing'),
      URL_FIELD,
      'expected "https://admin.example.com", as the Namespace apps has it with its Secret admin-key',
    ),
  ),
  under(
    KEYED,
    rule(
      IN_KPACK,
      "the Namespace's Secret with another url, as annotations",
      "the admin's key signs for the admin's server alone",
      annotated({ ...KEY, 'v1.url': 'https://notary.example.com' }),
      annotated(KEY),
      on('v1.url'),
      'or a Secret of your own',
    ),
  ),
  under(
    KEYED,
    rule(
      IN_KPACK,
      "the Namespace's Secret with another CA",
      "who could speak for the admin's server would get what its key signs",
      annotated({ ...KEY, 'v1.caSecretRef': 'notary-ca' }),
      annotated({ ...KEY, 'v1.caSecretRef': 'admin-ca' }),
      on('v1.caSecretRef'),
      'expected "admin-ca", as the Namespace apps has it',
    ),
  ),
  under(
    KEYED,
    rule(
      IN_KPACK,
      "the Namespace's Secret with another url, opted out",
      "opting out takes the signature away, and nothing from the admin's rules",
      { ...secretName('admin-key'), ...OPTED_OUT },
      { ...secretName('notary-signing'), ...OPTED_OUT },
      URL_FIELD,
      'expected "https://admin.example.com", as the Namespace apps has it with its Secret admin-key',
    ),
  ),
  under(
    KEYED,
    rule(
      IN_KPACK,
      "the Namespace's Secret with another CA, opted out",
      "opting out takes the signature away, and nothing from the admin's rules",
      annotated({ ...KEY, 'v1.caSecretRef': 'notary-ca', signing: 'disabled' }),
      annotated({ ...KEY, signing: 'disabled' }),
      on('v1.caSecretRef'),
      'expected "admin-ca", as the Namespace apps has it',
    ),
  ),
  under(
    PINNED,
    rule(
      IN_KPACK,
      'a root pin that the Namespace does not allow, opted out',
      "opting out takes the signature away, and nothing from the admin's rules",
      annotated({ 'v1.rootPin': OTHER_PIN, signing: 'disabled' }),
      annotated({ 'v1.rootPin': PIN, signing: 'disabled' }),
      on('v1.rootPin'),
      'expected one that the Namespace apps allows',
    ),
  ),
];
