import type { ClusterObject } from '../../shared/kubernetes/cluster.ts';
import { amountOf, larger } from './quantity.ts';

/** The resources that the signing container asks for. */
export const RESOURCES = ['cpu', 'memory'] as const;
export type ResourceName = (typeof RESOURCES)[number];

/** What the LimitRanges of a namespace demand of a container, and of a pod that has one more. */
export interface ResourceBounds {
  /** The quantity that no request and no limit of a container may be below. */
  readonly min: string;
  /** Whether pods as a whole are bounded: requests and limits of their containers, added up. */
  readonly ofPods: boolean;
  /** How many times the requests of a pod its limits may be. */
  readonly podRatio: number;
}

/** The bounds of each resource. */
export type LimitRangeBounds = Readonly<Record<ResourceName, ResourceBounds>>;

/** What holds where there is no LimitRange. */
export const UNBOUNDED = readLimitRanges([]);

/** What `spec.limits` lists, as far as it is looked at. */
interface LimitRangeItem {
  readonly type?: unknown;
  readonly min?: Quantities;
  readonly max?: Quantities;
  readonly maxLimitRequestRatio?: Quantities;
}

/** Strings as the API serves them; a manifest may have numbers. */
type Quantities = Readonly<Record<string, unknown>> | null;

/**
 * All LimitRanges of a namespace hold at once. Defaults are of no interest: LimitRanger has given
 * them to the steps before the webhook is called, and gives the signing container what it does not state. Nor are a
 * container's `max` and ratio: what lies between the step's amounts and less keeps within them.
 * https://kubernetes.io/docs/concepts/policy/limit-range/
 */
export function readLimitRanges(limitRanges: readonly ClusterObject[]): LimitRangeBounds {
  const items = limitRanges.flatMap(({ spec }) => itemsOf(spec?.['limits']));
  return { cpu: boundsOf('cpu', items), memory: boundsOf('memory', items) };
}

function boundsOf(name: ResourceName, items: readonly LimitRangeItem[]): ResourceBounds {
  const of = (type: 'Container' | 'Pod', member: 'min' | 'max' | 'maxLimitRequestRatio') =>
    items.filter((item) => item.type === type).flatMap((item) => quantityOf(item[member]?.[name]));
  const ratios = of('Pod', 'maxLimitRequestRatio');
  return {
    min: of('Container', 'min').reduce(larger, '0'),
    ofPods: [...of('Pod', 'min'), ...of('Pod', 'max'), ...ratios].length > 0,
    podRatio: Math.min(Infinity, ...ratios.map(amountOf)),
  };
}

function itemsOf(limits: unknown): readonly LimitRangeItem[] {
  return Array.isArray(limits)
    ? limits.filter((item): item is LimitRangeItem => typeof item === 'object' && item !== null)
    : [];
}

function quantityOf(value: unknown): readonly string[] {
  return typeof value === 'string' || typeof value === 'number' ? [String(value)] : [];
}
