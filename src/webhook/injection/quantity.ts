const SUFFIXES = new Map<string, number>([
  ['n', 1e-9],
  ['u', 1e-6],
  ['m', 1e-3],
  ['', 1],
  ['k', 1e3],
  ['M', 1e6],
  ['G', 1e9],
  ['T', 1e12],
  ['P', 1e15],
  ['E', 1e18],
  ['Ki', 2 ** 10],
  ['Mi', 2 ** 20],
  ['Gi', 2 ** 30],
  ['Ti', 2 ** 40],
  ['Pi', 2 ** 50],
  ['Ei', 2 ** 60],
]);
const QUANTITY = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|([A-Za-z]{0,2}))$/;

/**
 * The number that a Kubernetes quantity stands for; undefined when it is none.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
export function parseQuantity(text: string): number | undefined {
  const [, digits, exponent, suffix = ''] = QUANTITY.exec(text) ?? [];
  if (digits === undefined) return undefined;
  if (exponent !== undefined) return Number(digits + exponent);
  const factor = SUFFIXES.get(suffix);
  return factor === undefined ? undefined : Number(digits) * factor;
}

/** The number that a quantity stands for; 0 when it is none. */
export function amountOf(quantity: string): number {
  return parseQuantity(quantity) ?? 0;
}

export function larger(a: string, b: string): string {
  return amountOf(a) > amountOf(b) ? a : b;
}

export function smaller(a: string, b: string): string {
  return amountOf(a) < amountOf(b) ? a : b;
}
