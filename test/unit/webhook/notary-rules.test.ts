import t from 'tap';
import { KPACK_USER } from '../../bed/webhook.ts';
import {
  annotate,
  buildFixture,
  type BuildFixture,
  changed,
  P,
  setSection,
  signingNamespace,
} from '../../support/build-fixture.ts';
import { ask, refusedBy, verdictOf } from '../../support/asking.ts';
import {
  apiVersionsOf,
  clusterOf,
  objectThatSays,
  type NotaryRule,
  type Words,
} from '../../support/notary-rule.ts';
import { NOTARY_RULES } from '../../support/notary-rules.ts';

const BY_DEVELOPER = { username: 'developer' };

/** The build pod of an Image, and its Namespace, where one of the two is wrong. */
function worldThatBreaks({ rejected, admin }: NotaryRule, kind: string): BuildFixture {
  const { notary, annotations = {}, labels } = rejected;
  if (kind === 'Namespace') {
    const namespace = signingNamespace('enabled', { ...annotations });
    if (labels) namespace.metadata.labels = { ...labels };
    return buildFixture('v0.17.2/01-plain-git', namespace);
  }
  const given = buildFixture('v0.17.2/01-plain-git', signingNamespace('enabled', admin));
  if (notary !== undefined) setSection(given, notary);
  annotate(given, annotations);
  return given;
}

const isAskedAtPods = ({ tells: [field] }: NotaryRule) =>
  !field.startsWith('metadata.labels') || field.includes(`${P}signing]`);

for (const rule of NOTARY_RULES) {
  const refusal = `422 ${rule.code}`;
  const cluster = clusterOf(rule);
  t.test(`${rule.on.join(', ')}: ${rule.name}`, async (t) => {
    for (const kind of rule.on) {
      for (const apiVersion of apiVersionsOf(kind)) {
        const object = (words: Words) => objectThatSays(kind, apiVersion, words);
        const [rejected, accepted] = [object(rule.rejected), object(rule.accepted)];

        t.equal(verdictOf(await ask('validate', accepted, cluster, BY_DEVELOPER)), 'allowed');
        const response = await ask('validate', rejected, cluster, BY_DEVELOPER);
        t.equal(verdictOf(response), refusal, `${kind} ${apiVersion}`);
        const message = response.status?.message ?? '';
        for (const text of rule.tells) t.ok(message.includes(text), `${text} in ${message}`);
        t.match(message, new RegExp(` of ${kind} ${rejected.metadata.name}: found `));
        t.notMatch(message, /canary/);

        const update = (object: object, oldObject: object) =>
          ask('validate', object, cluster, { operation: 'UPDATE', oldObject, ...BY_DEVELOPER });
        t.equal((await update(rejected, accepted)).status?.message, message, 'spoiled');
        t.equal(verdictOf(await update(accepted, rejected)), 'allowed', 'mended');
        const relabelled = changed(rejected, ({ metadata }) => {
          metadata.labels = { ...metadata.labels, team: 'a' };
        });
        const left = await update(relabelled, rejected);
        t.equal(verdictOf(left), 'allowed', 'left as it was');
        const isMalformed = rule.admin === undefined;
        if (isMalformed) {
          t.match(left.warnings?.[0], /^kpack-notary: malformed, as before: (?:metadata|spec)/);
        }

        const byKpack = await ask('validate', rejected, cluster, { username: KPACK_USER });
        t.equal(verdictOf(byKpack), 'allowed', "kpack's copy");
        if (isMalformed) {
          t.match(
            byKpack.warnings?.[0],
            'kpack-notary: malformed, so its pod is going to be refused',
          );
        }

        if (kind === 'Build' || !isAskedAtPods(rule)) continue;
        const told = await refusedBy(t, worldThatBreaks(rule, kind), refusal);
        t.equal(told, message, 'the build pod is refused with the same words');
      }
    }
  });
}
