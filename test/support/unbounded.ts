/** What a signer, and its client of a Notary server, need where neither memory nor time are short. */
import { finish } from '../../src/sidecar/tuf/work.ts';

const memory = { demand: () => undefined };

export const UNBOUNDED = {
  memory,
  drive: finish,
  steps: { pause: () => Promise.resolve(), drive: finish },
};
