/** An OCI content descriptor. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string /* sha256:<64 hex> */;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}
export const SIGNATURE_TYPE = 'application/vnd.cncf.notary.signature';
