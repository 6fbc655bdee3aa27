/**
 * The least that an admission webhook can do: reads the review, and sends it back with an answer that
 * allows it; with the third argument `allow`, sends that answer alone.
 */
import { serve, textOf } from './loopback-server.ts';

const isEcho = process.argv[4] !== 'allow';

serve((request, response) => {
  void textOf(request).then((text) => {
    const review = JSON.parse(text) as { readonly request: { readonly uid: string } };
    const { uid } = review.request;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        ...(isEcho ? review : { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }),
        response: { uid, allowed: true },
      }),
    );
  });
});
