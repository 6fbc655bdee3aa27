/** The signed vector of test/fixtures/notary/vector-ed25519.json, and its parts by themselves. */
import { fixture } from '../../../../support/fixture.ts';

export const VECTOR = {
  /** The whole file. */
  wire: fixture('notary/vector-ed25519.json'),
  /** The canonical JSON that is signed. */
  text:
    '{"_type":"Targets","delegations":{"keys":{},"roles":[]},"expires":"2030-01-02T03:04:05Z",' +
    '"targets":{"a&b":{"hashes":{"sha256":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="},' +
    '"length":7}},"version":1}',
  /** The key whose seed is the bytes 0 to 31. */
  publicKey: {
    keytype: 'ed25519',
    public: 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=',
  },
  keyId: 'b9fe8d4b54e73abb584e2015aaa447047e53282f491dcc70c40d2474d3096a21',
  signature:
    'lI+vhXYTnjbp+o4NBodxj8Z4d7rTtH0U+/fOj5qoTIUwC95LHUrrK4AhCazbvFpOQht63lY6pC5/zl9ND6YfCw==',
} as const;
