import { performance } from 'node:perf_hooks';
import { ClusterError, type Cluster, type ReadKind } from '../../shared/kubernetes/cluster.ts';
import type { Metrics, ReadResult } from './metrics.ts';

/**
 * The cluster as one review sees it: reads end with its deadline, even where what is behind the
 * cluster hangs, and are counted and timed.
 */
export function watchedCluster(cluster: Cluster, signal: AbortSignal, metrics: Metrics): Cluster {
  const ended = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  // Between reads nobody listens.
  ended.catch(() => undefined);
  const watch = async <Found>(kind: ReadKind, what: string, work: Promise<Found>) => {
    const started = performance.now();
    let result: ReadResult = 'error';
    try {
      const found = await Promise.race([work, ended]);
      result = found === undefined ? 'not_found' : 'ok';
      return found;
    } catch (error) {
      const failure = signal.aborted ? timeoutOf(signal, what) : error;
      if (failure instanceof ClusterError) result = failure.failure;
      throw failure;
    } finally {
      metrics.read(kind, result, (performance.now() - started) / 1000);
    }
  };
  return {
    get: (reference) =>
      watch(reference.kind, `${reference.kind} ${reference.name}`, cluster.get(reference, signal)),
    limitRanges: (namespace) =>
      watch('LimitRange', `LimitRanges of ${namespace}`, cluster.limitRanges(namespace, signal)),
  };
}

function timeoutOf({ reason }: AbortSignal, what: string): ClusterError {
  const { message } = reason as Error;
  return new ClusterError(`${what} could not be read: ${message}`, { failure: 'timeout' });
}
