/** What has to be shown once before requests are sent to a replica. */
export type Condition = 'certificate' | 'ca-bundle' | 'kubernetes-api';

export interface ReadinessState {
  readonly isReady: boolean;
  /** Whether the webhook was told to end: then nothing is missing, and it is not ready. */
  readonly isDraining: boolean;
  /** What stands in the way and what to do about it, in sentences, without secrets. */
  readonly missing: readonly { readonly condition: Condition; readonly why: string }[];
}

/**
 * Whether requests may be sent to this replica. What was proven stays proven until the end: an
 * outage of the Kubernetes API must not take all replicas out of their Service at once.
 */
export type Readiness = ReturnType<typeof createReadiness>;

/**
 * Nothing is proven at first.
 *
 * @param conditions those that apply
 * @param changed hears the state when it becomes ready, when a reason is another than before, and when
 *   it begins to drain
 */
export function createReadiness(
  conditions: readonly Condition[],
  changed: (state: ReadinessState) => void,
) {
  const missing = new Map(conditions.map((condition) => [condition, 'It is being looked at.']));
  let isDraining = false;
  const state = (): ReadinessState => ({
    isReady: !isDraining && missing.size === 0,
    isDraining,
    missing: isDraining ? [] : [...missing].map(([condition, why]) => ({ condition, why })),
  });
  return {
    /** Says that a condition holds. Nothing happens where it does not apply. */
    prove(condition: Condition): void {
      const isLast = missing.delete(condition) && missing.size === 0;
      if (isLast && !isDraining) changed(state());
    },
    /** Says why a condition does not hold yet, unless it was proven before or does not apply. */
    miss(condition: Condition, why: string): void {
      if (!missing.has(condition) || missing.get(condition) === why) return;
      missing.set(condition, why);
      if (!isDraining) changed(state());
    },
    /** Takes readiness back, for good. */
    drain(): void {
      if (isDraining) return;
      isDraining = true;
      changed(state());
    },
    state,
  };
}
