import { performance } from 'node:perf_hooks';
import { ClusterError, type Cluster } from './cluster.ts';
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
  return {
    get: async (reference) => {
      const started = performance.now();
      let result: ReadResult = 'error';
      try {
        const found = await Promise.race([cluster.get(reference, signal), ended]);
        result = found ? 'ok' : 'not_found';
        return found;
      } catch (error) {
        const failure = signal.aborted ? timeoutOf(signal, reference) : error;
        if (failure instanceof ClusterError) result = failure.failure;
        throw failure;
      } finally {
        metrics.read(reference.kind, result, (performance.now() - started) / 1000);
      }
    },
  };
}

function timeoutOf(
  { reason }: AbortSignal,
  { kind, name }: { readonly kind: string; readonly name: string },
): ClusterError {
  const { message } = reason as Error;
  return new ClusterError(`${kind} ${name} could not be read: ${message}`, { failure: 'timeout' });
}
