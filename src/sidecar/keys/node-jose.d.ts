/** Parts of node-jose that its type declarations leave out. */
declare module 'node-jose/lib/algorithms/*' {
  /** What signs, by names of JOSE. */
  const algorithms: Readonly<
    Record<
      string,
      {
        /** @param key members of a JWK; those that it encodes in base64url are bytes */
        sign(
          key: Readonly<Record<string, string | Buffer>>,
          data: Buffer,
        ): { readonly mac: Buffer } | Promise<{ readonly mac: Buffer }>;
      }
    >
  >;
  export default algorithms;
}
