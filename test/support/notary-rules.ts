/** Every rule: data alone, for tests with and without an API server. */
import type { NotaryRule } from './notary-rule.ts';
import { ANNOTATIONS } from './notary-rules-annotations.ts';
import { LEVELS } from './notary-rules-levels.ts';
import { NAMESPACE_ANNOTATIONS, NAMESPACES } from './notary-rules-namespaces.ts';
import { SECTION } from './notary-rules-section.ts';
import { V2 } from './notary-rules-v2.ts';
import { VALUES } from './notary-rules-values.ts';

export const NOTARY_RULES: readonly NotaryRule[] = [
  ...SECTION,
  ...VALUES,
  ...ANNOTATIONS,
  ...LEVELS,
  ...NAMESPACES,
  ...NAMESPACE_ANNOTATIONS,
  ...V2,
];
