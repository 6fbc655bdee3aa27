import t from 'tap';
import { playAll } from './support/catalogue/play.ts';

t.test('the failure catalogue, with keys in the server', (t) => playAll(t, 'local'));
