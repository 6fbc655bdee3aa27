/** What the API server and our webhook say of how often the one has asked the other. */
import type { KubeClient } from '../bed/kube-client.ts';

/** Calls of one sort, by the labels of the API server's own counter. */
export interface CallFilter {
  /** Name of the entry in deploy/webhooks.yaml. */
  readonly name?: string;
  /** By the mutating or by the validating configuration. */
  readonly type?: 'admit' | 'validating';
  readonly operation?: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly rejected?: 'true' | 'false';
}

/** A line of the webhook's log about a request. */
export interface Decision {
  readonly question: 'mutate' | 'validate';
  /** Of the request: the same when it is asked again. */
  readonly uid: string;
  readonly kind: string;
  readonly operation: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly username: string;
  readonly decision: string;
  readonly code?: string;
  readonly reason: string;
}

const COUNTER = /^apiserver_admission_webhook_request_total\{(.*)\} (\d+)$/gm;
/** What the names of our entries end with. */
const OURS = '.notary.kpack.io';

/** How often the API server has called our webhook, by its own counter. */
export async function webhookCalls(api: KubeClient, filter: CallFilter = {}): Promise<number> {
  const metrics = await api.text('/metrics');
  const counts = [...metrics.matchAll(COUNTER)].map(([, labels = '', count]) => {
    const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]);
    const call = Object.fromEntries(pairs) as Record<string, string>;
    const isMeant =
      call['name']?.endsWith(OURS) &&
      Object.entries(filter).every(([name, value]) => call[name] === value);
    return isMeant ? Number(count) : 0;
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The decisions in a log of the webhook. */
export function decisionsOf(log: string): readonly Decision[] {
  return log
    .split('\n')
    .filter((line) => line.includes('"reviewed"'))
    .map((line) => JSON.parse(line) as Decision);
}
