/** Memory keeps the records contract. */

import { memoryRecords } from '../src/memory.ts';
import type { Backend } from './backend.ts';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { kinds, type TestRecords } from './kinds.ts';

const memory: Backend = {
  place: async () => 'of no meaning: each opening is a database of its own',
  open: (_, now) => memoryRecords<TestRecords>({ kinds, ...(now && { now }) }),
};

recordsConformance('memory', memory);
recordsInputConformance('memory', memory);
