import t from 'tap';
import { withCa, type IssuingCa } from '../../../../src/webhook/certificates/issuing-ca.ts';
import {
  formatCaBundle,
  readCaBundle,
} from '../../../../src/webhook/certificates/ca-certificate.ts';
import { makeCa } from '../../../../src/webhook/certificates/certificate-issuer.ts';
import {
  EMPTY_MEMORY,
  missingOf,
  planCertificates,
  PROPAGATION_MS,
  remember,
  type CertificatePlan,
  type Memory,
  type Seen,
  type WebhookConfiguration,
} from '../../../../src/webhook/certificates/certificate-plan.ts';

const NOW = Date.parse('2026-06-01T00:00:00Z');
const DAY = 24 * 3600_000;

/** A Secret with these issuers. */
function secretOf(...issuers: readonly IssuingCa[]): Seen['secret'] {
  const [first, ...others] = issuers;
  const trust = { issuers: others, certificates: others };
  return {
    metadata: { resourceVersion: '1' },
    data: first ? withCa({}, first, trust, NOW) : {},
  };
}

function configurationsOf(...caBundles: readonly string[]): Seen['configurations'] {
  const one = (kind: WebhookConfiguration['kind']): WebhookConfiguration => ({
    kind,
    name: 'kpack-notary',
    resourceVersion: '1',
    entries: caBundles.map((caBundle, at) => ({ name: `entry-${at}`, caBundle })),
  });
  return {
    MutatingWebhookConfiguration: one('MutatingWebhookConfiguration'),
    ValidatingWebhookConfiguration: one('ValidatingWebhookConfiguration'),
  };
}

const UNKNOWN: Seen = {
  secret: 'unknown',
  configurations: {
    MutatingWebhookConfiguration: 'unknown',
    ValidatingWebhookConfiguration: 'unknown',
  },
};

/** What is remembered, and planned, after looks at some times. */
function planAfter(
  looks: readonly (readonly [uptime: number, seen: Seen])[],
  start: Partial<Memory> = {},
  now = NOW,
): { memory: Memory; plan: CertificatePlan } {
  let memory: Memory = { ...EMPTY_MEMORY, ...start };
  let plan: CertificatePlan | undefined;
  for (const [uptime, seen] of looks) {
    memory = remember(memory, seen, { now, uptime });
    plan = planCertificates(memory, seen, { now, uptime }, 0);
  }
  if (!plan) throw new Error('nothing was looked at');
  return { memory, plan };
}

const pemsOf = (caBundle: string) => readCaBundle(caBundle).map(({ pem }) => pem);
/** What the plan has trusted in configurations that trust something else now. */
const trustedBy = ({ untrusting }: CertificatePlan) => pemsOf(untrusting[0]?.caBundle ?? '');
const servedBy = (issuer: IssuingCa, days = 7) => ({
  issuer: issuer.fingerprint,
  begins: NOW - DAY,
  ends: NOW + days * DAY,
  renewal: NOW + (days - 2) * DAY,
});

t.test('the plan of certificates', async (t) => {
  const old = await makeCa(NOW - 200 * DAY);
  const next = await makeCa(NOW);
  const oldBundle = formatCaBundle([old]);
  const both = formatCaBundle([old, next]);

  t.test('without a Secret, a CA is made, and nothing is written elsewhere', async (t) => {
    const seen = { secret: 'absent', configurations: configurationsOf('') } as const;
    t.match(planAfter([[0, seen]]).plan, {
      needsCa: true,
      untrusting: [],
      issueBy: undefined,
    });
  });

  t.test('what is not known is not replaced', async (t) => {
    const { plan } = planAfter([[0, UNKNOWN]]);
    t.match(plan, { needsCa: false, untrusting: [], issueBy: undefined });
  });

  t.test('a leaf is issued once its CA has stood everywhere for long enough', async (t) => {
    const seen = { secret: secretOf(old), configurations: configurationsOf(oldBundle, oldBundle) };
    const lacking = { ...seen, configurations: configurationsOf(oldBundle, '') };
    t.equal(planAfter([[0, seen]]).plan.issueBy, undefined);
    t.equal(planAfter([[0, seen]]).plan.lookAgain, PROPAGATION_MS);
    t.equal(
      planAfter([
        [0, seen],
        [PROPAGATION_MS - 1, seen],
      ]).plan.issueBy,
      undefined,
    );
    t.same(
      planAfter([
        [0, seen],
        [PROPAGATION_MS, seen],
      ]).plan.issueBy,
      old,
    );
    const broken = [
      [0, seen],
      [5000, lacking],
      [PROPAGATION_MS, seen],
    ] as const;
    t.equal(planAfter(broken).plan.issueBy, undefined, 'without a break');
    t.same(
      planAfter([
        [0, seen],
        [5000, UNKNOWN],
        [PROPAGATION_MS, seen],
      ]).plan.issueBy,
      old,
      'an outage is none',
    );
  });

  t.test(
    'what has stood unchanged for long is trusted at once, however clocks differ',
    async (t) => {
      const lookedAt = (unchangedFor: number) => {
        const configurations = Object.fromEntries(
          Object.entries(configurationsOf(oldBundle)).map(([kind, one]) => [
            kind,
            { ...(one as WebhookConfiguration), unchangedFor },
          ]),
        ) as unknown as Seen['configurations'];
        return planAfter([[0, { secret: secretOf(old), configurations }]]).plan.issueBy;
      };
      t.equal(lookedAt(0), undefined);
      t.equal(
        lookedAt(60_000 + PROPAGATION_MS - 1),
        undefined,
        'by a clock that is a minute behind',
      );
      t.same(lookedAt(60_000 + PROPAGATION_MS), old);
    },
  );

  t.test('the next CA is trusted beside the former one before it issues', async (t) => {
    const served = servedBy(old);
    const seen = { secret: secretOf(next, old), configurations: configurationsOf(oldBundle) };
    const { memory, plan } = planAfter([[0, seen]], { served });
    t.same(trustedBy(plan), [next.pem, old.pem]);
    t.equal(plan.untrusting.length, 2);
    t.equal(plan.issueBy, undefined);
    const trusted = { ...seen, configurations: configurationsOf(both) };
    t.same(
      planAfter(
        [
          [0, trusted],
          [PROPAGATION_MS, trusted],
        ],
        memory,
      ).plan.issueBy,
      next,
    );
  });

  t.test(
    'what the Secret said once stays trusted, and issues while nothing else can',
    async (t) => {
      const before = { secret: secretOf(old), configurations: configurationsOf(oldBundle) };
      const { memory } = planAfter([
        [0, before],
        [PROPAGATION_MS, before],
      ]);
      const served = { ...servedBy(old, 1), renewal: NOW };
      const gone = { secret: 'absent', configurations: configurationsOf('') } as const;
      t.same(trustedBy(planAfter([[20_000, gone]], { ...memory, served }).plan), [old.pem]);
      const away = planAfter([[20_000, UNKNOWN]], { ...memory, served });
      t.same(away.plan.issueBy, old, 'a leaf is renewed while the API is away');
    },
  );

  t.test('what a replica that just started does not know stays trusted', async (t) => {
    const seen = { secret: secretOf(next), configurations: configurationsOf(oldBundle, '') };
    t.same(trustedBy(planAfter([[0, seen]]).plan), [next.pem, old.pem]);
  });

  t.test('what ended longer ago than clocks may differ is let go', async (t) => {
    const seen = { secret: secretOf(next), configurations: configurationsOf(both, '') };
    const at = (now: number) => trustedBy(planAfter([[0, seen]], {}, now).plan).length;
    t.equal(at(old.ends + DAY - 1), 2);
    t.equal(at(old.ends + DAY), 1);
  });

  t.test('a CA is replaced when two thirds of its life are over', async (t) => {
    const seen = { secret: secretOf(next), configurations: configurationsOf(both) };
    const dueAt = (now: number) => planAfter([[0, seen]], {}, now).plan.needsCa;
    const life = next.ends - next.begins;
    t.notOk(dueAt(next.ends - life / 3 - 2 * DAY));
    t.ok(dueAt(next.ends - life / 3 + 2 * DAY));
  });

  t.test('one that has not begun was made by a wrong clock, and is replaced', async (t) => {
    for (const [ahead, isReplaced] of [
      [0, false],
      [1000, true],
      [3 * DAY, true],
    ] as const) {
      const early = await makeCa(NOW + DAY + ahead);
      const bundle = formatCaBundle([early]);
      const seen = { secret: secretOf(early), configurations: configurationsOf(bundle) };
      const { plan } = planAfter([
        [0, seen],
        [PROPAGATION_MS, seen],
      ]);
      t.equal(plan.needsCa, isReplaced);
      t.equal(plan.issueBy === undefined, isReplaced);
    }
  });

  t.test('a clock that is wrong by years takes nothing away from what is served', async (t) => {
    const configurations = configurationsOf(oldBundle);
    const served = servedBy(old);
    const { memory } = planAfter([[0, { secret: secretOf(old), configurations }]], { served });
    for (const year of ['1970', '2099']) {
      const wrong = Date.parse(`${year}-01-01T00:00:00Z`);
      const made = await makeCa(wrong);
      const seen = { secret: secretOf(made), configurations };
      const { plan, memory: later } = planAfter([[1, seen]], memory, wrong);
      t.equal(plan.issueBy, undefined);
      t.same(new Set(trustedBy(plan)), new Set([made.pem, old.pem]), year);
      const { earlier } = planAfter([[2, UNKNOWN]], later).memory;
      t.ok(
        earlier.issuers.some(({ key }) => key === old.key),
        'it can still issue',
      );
    }
  });

  t.test('what is taken out of one configuration does not come back from the other', async (t) => {
    const { MutatingWebhookConfiguration } = configurationsOf(formatCaBundle([next]));
    const configurations = { ...configurationsOf(both), MutatingWebhookConfiguration };
    t.same(planAfter([[0, { secret: secretOf(next), configurations }]]).plan.untrusting, []);
  });

  t.test('where the one that ends last is not usable, another that lives is', async (t) => {
    const early = await makeCa(NOW + 9 * DAY);
    const bundle = formatCaBundle([early, next]);
    const seen = { secret: secretOf(early, next), configurations: configurationsOf(bundle) };
    const { plan } = planAfter([
      [0, seen],
      [PROPAGATION_MS, seen],
    ]);
    t.match(plan, { needsCa: false, issueBy: { fingerprint: next.fingerprint } });
  });

  t.test('a CA that turned out not to issue is replaced', async (t) => {
    const seen = { secret: secretOf(next), configurations: configurationsOf(both) };
    const unusable = new Set([next.fingerprint]);
    const { plan } = planAfter(
      [
        [0, seen],
        [PROPAGATION_MS, seen],
      ],
      { unusable },
    );
    t.match(plan, { needsCa: true, issueBy: undefined });
  });

  t.test('a leaf is renewed when it is due, and not for a minute more of life', async (t) => {
    const seen = { secret: secretOf(next), configurations: configurationsOf(both) };
    const bundle = { ...seen, configurations: configurationsOf(formatCaBundle([next])) };
    const plan = (served: Memory['served']) =>
      planAfter(
        [
          [0, bundle],
          [PROPAGATION_MS, bundle],
        ],
        { served },
      ).plan.issueBy;
    t.equal(plan(servedBy(next)), undefined);
    t.same(plan({ ...servedBy(next, 2), renewal: NOW }), next);
    t.equal(plan({ ...servedBy(next), ends: NOW + 7 * DAY, renewal: NOW }), undefined);
    t.same(plan({ ...servedBy(next), begins: NOW + 1 }), next, 'a clock that was set back');
  });

  t.test(
    'entries that trust the same are left alone, and all of one are written at once',
    async (t) => {
      const bundle = formatCaBundle([next]);
      const seen = { secret: secretOf(next), configurations: configurationsOf(bundle, bundle) };
      t.same(planAfter([[0, seen]]).plan.untrusting, []);
      const garbled = { ...seen, configurations: configurationsOf(bundle, 'AAAA') };
      const [first] = planAfter([[0, garbled]]).plan.untrusting;
      t.equal(first?.configuration.entries.length, 2);
      t.same(planAfter([[0, { ...seen, configurations: configurationsOf() }]]).plan.untrusting, []);
    },
  );

  t.test('what is missing is said in words', async (t) => {
    const moment = { now: NOW, uptime: 0 };
    t.same(missingOf(EMPTY_MEMORY, UNKNOWN, moment), {
      certificate: 'no certificate that holds is served: the Secret of the CA was not read',
      'ca-bundle':
        'the MutatingWebhookConfiguration was not read, and the ValidatingWebhookConfiguration was not read',
    });
    const bundle = formatCaBundle([next]);
    const seen = { secret: secretOf(next), configurations: configurationsOf(bundle) };
    t.match(missingOf(EMPTY_MEMORY, seen, moment), {
      certificate: 'no CA has stood in every caBundle for 10 s',
      'ca-bundle': 'not every caBundle trusts the certificate that is served',
    });
    const { memory } = planAfter([[0, seen]], { served: servedBy(next) });
    t.same(missingOf(memory, seen, moment), {});
  });
});
