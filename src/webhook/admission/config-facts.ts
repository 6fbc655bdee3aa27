import { setTimeout as delay } from 'node:timers/promises';
import { readNotarySection, type ServerAndKey } from '../config/notary-section.ts';
import {
  ClusterError,
  type Cluster,
  type ClusterObject,
  type ObjectReference,
} from '../../shared/kubernetes/cluster.ts';
import { configSource } from '../config/config-source.ts';
import { missingOf, secretsOf, unitSecrets } from '../policy/facts.ts';
import { type CredentialsSecret, credentialsOf } from '../config/credentials-secret.ts';

/** What the cluster adds to what somebody writes. */
export interface ConfigFacts {
  readonly namespace: ClusterObject | undefined;
  /** Secrets that were looked for and are not there. */
  readonly missingSecrets: readonly string[];
  /** Undefined: the service account has too many Secrets to look at. */
  readonly credentials: readonly CredentialsSecret[] | undefined;
}

/** Who writes waits for us; what is told beyond right and wrong is not worth more. */
const PATIENCE_MS = 2_500;
/** Anybody who may write an Image makes us read these. */
const MOST_LOOKED_AT = 32;

/**
 * Reads what there is to say about an Image or Build beyond its own words, in at most two rounds.
 *
 * @throws ClusterError when that takes too long, or the cluster does not tell
 */
export async function readConfigFacts(
  unit: ServerAndKey | undefined,
  namespaceName: string,
  serviceAccountName: string,
  cluster: Cluster,
): Promise<ConfigFacts> {
  const timer = new AbortController();
  const timeout = delay(PATIENCE_MS, undefined, { signal: timer.signal }).then(() => {
    throw new ClusterError('the Kubernetes API did not answer in time');
  });
  try {
    return await Promise.race([readAll(unit, namespaceName, serviceAccountName, cluster), timeout]);
  } finally {
    timer.abort();
    timeout.catch(() => undefined);
  }
}

async function readAll(
  unit: ServerAndKey | undefined,
  namespaceName: string,
  serviceAccountName: string,
  cluster: Cluster,
): Promise<ConfigFacts> {
  const get = (references: readonly ObjectReference[]) =>
    Promise.all(references.map((reference) => cluster.get(reference)));
  const namespace = { apiVersion: 'v1', kind: 'Namespace', name: namespaceName } as const;
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    namespace: namespaceName,
    name: serviceAccountName,
  } as const;
  const ownSecrets = unitSecrets(unit, namespaceName);
  const [[admin, serviceAccount], own] = await Promise.all([
    get([namespace, account]),
    get(ownSecrets),
  ]);

  const adminUnit = readNotarySection(configSource('Namespace', admin)).unit;
  const adminSecrets = unit ? [] : unitSecrets(adminUnit, namespaceName);
  const all = secretsOf(serviceAccount, namespaceName, MOST_LOOKED_AT);
  const [ofAccount, ofAdmin] = await Promise.all([all && get(all), get(adminSecrets)]);
  return {
    namespace: admin,
    missingSecrets: [...missingOf(ownSecrets, own), ...missingOf(adminSecrets, ofAdmin)],
    credentials: ofAccount && credentialsOf(ofAccount),
  };
}
