import tls from "node:tls";

/** From here on this process trusts the certificate of a local server (PEM), also in `fetch`. */
export function trust(certificate: string | undefined): void {
  if (certificate !== undefined) tls.setDefaultCACertificates([...tls.getCACertificates("default"), certificate]);
}
