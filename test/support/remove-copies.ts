/** Run before each test file, so its hook is registered first and called last. */
import { afterAll } from 'vitest';
import { removeCopies } from './embedded-directory.ts';

afterAll(removeCopies);
