/** The least that an admission webhook can do: reads the review, and allows it. */
import { serve, textOf } from './loopback-server.ts';

serve((request, response) => {
  void textOf(request).then((text) => {
    const review = JSON.parse(text) as { readonly request: { readonly uid: string } };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: review.request.uid, allowed: true },
      }),
    );
  });
});
