import t from 'tap';
import { makeValidationPage, validationPage } from '../../support/validation-page.ts';

t.test('docs/reference/validation.md is what people are told', async (t) => {
  t.equal(validationPage(), await makeValidationPage(), 'npm run docs writes it anew');
});
