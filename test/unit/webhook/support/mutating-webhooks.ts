/** Mutating webhooks as the API server calls them. */
import type { PodManifest } from '../../../support/build-fixture.ts';

export interface MutatingWebhook {
  /** Whether its reinvocationPolicy is IfNeeded, not Never. */
  readonly isReinvoked: boolean;
  /** The pod after it. */
  readonly call: (pod: PodManifest) => PodManifest | Promise<PodManifest>;
}

/**
 * The pod after all of them: each is called once, in order, and then once more if it wants that and
 * another one has changed the pod since.
 * https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#reinvocation-policy
 */
export async function afterAll(
  posted: PodManifest,
  webhooks: readonly MutatingWebhook[],
): Promise<PodManifest> {
  const outdated = new Set<MutatingWebhook>();
  const round = async (before: PodManifest, list: readonly MutatingWebhook[]) => {
    let pod = before;
    for (const [i, webhook] of list.entries()) {
      const changed = reencoded(await webhook.call(pod));
      outdated.delete(webhook);
      if (JSON.stringify(changed) !== JSON.stringify(pod)) {
        for (const earlier of list.slice(0, i)) outdated.add(earlier);
      }
      pod = changed;
    }
    return pod;
  };
  const once = await round(reencoded(posted), webhooks);
  return round(
    once,
    webhooks.filter((webhook) => webhook.isReinvoked && outdated.has(webhook)),
  );
}

/** As Go writes it: members in an order of its own, and no empty lists. */
function reencoded<Value>(value: Value): Value {
  return JSON.parse(
    JSON.stringify(value, (_, each: unknown) =>
      typeof each !== 'object' || each === null || Array.isArray(each)
        ? each
        : Object.fromEntries(
            Object.entries(each)
              .filter(([, member]) => !Array.isArray(member) || member.length > 0)
              .sort(([a], [b]) => (a < b ? -1 : 1)),
          ),
    ),
  ) as Value;
}
