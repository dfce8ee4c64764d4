/** `node job-process.ts <folder> <clock offset in seconds>`: a process that records what is open there. */
import { installedSpeech, openWorkshop } from './workshop.ts';

const [folder = '', offset = '0'] = process.argv.slice(2);
const speech = await installedSpeech();
let made = 0;
const workshop = await openWorkshop({
  folder,
  now: () => Date.now() / 1000 + Number(offset),
  speech: {
    ...speech,
    async speak(text, voice, signal) {
      const clip = await speech.speak(text, voice, signal);
      made += 1;
      process.stdout.write(`${made}\n`);
      return clip;
    },
  },
});
workshop.jobs.resume();
