/** Memory keeps the records contract. */

import { type MemoryStore, memoryRecords, memoryStore } from '../src/memory.ts';
import type { Backend } from './backend.ts';
import { recordsConformance } from './conformance.ts';
import { recordsInputConformance } from './conformance-input.ts';
import { recordsVersionConformance } from './conformance-versions.ts';
import { kinds, type TestRecords } from './kinds.ts';

let places = 0;
const stores = new Map<string, MemoryStore>();
const memory: Backend = {
  async place() {
    const place = `store ${++places}`;
    stores.set(place, memoryStore());
    return place;
  },
  open(place, now, using = kinds) {
    return memoryRecords<TestRecords>({ kinds: using, store: stores.get(place) as MemoryStore, ...(now && { now }) });
  },
};

recordsConformance('memory', memory);
recordsInputConformance('memory', memory);
recordsVersionConformance('memory', memory);
