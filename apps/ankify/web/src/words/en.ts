/** The words of the page in English; its type is what every other language must have. */
import { pluralOf } from './plural.ts';

const plural = pluralOf('en');

export const en = {
  app: 'Ankify',
  skip: 'Skip to the content',
  nav: { label: 'Main', decks: 'Decks', connect: 'Connect', usage: 'Usage', signOut: 'Sign out' },
  language: 'Language',
  theme: { label: 'Appearance', system: 'System', light: 'Light', dark: 'Dark' },
  loading: 'Loading…',
  cancel: 'Cancel',
  close: 'Close',
  again: 'Try again',
  copy: 'Copy',
  copied: 'Copied',
  optional: 'optional',
  cards: (count: number) => plural(count, { one: '# card', other: '# cards' }),
  noteTypes: {
    basic: { name: 'Basic', hint: 'Front asks, back answers.' },
    reversed: { name: 'Both ways', hint: 'Each card is asked in both directions.' },
    cloze: { name: 'Gaps', hint: 'A sentence with hidden words.' },
  },
  speech: {
    label: 'Speech',
    off: { name: 'None', hint: 'Silent cards.' },
    device: { name: 'Device', hint: 'Anki reads aloud with the voices of your device. Costs nothing.' },
    recorded: { name: 'Recorded', hint: 'Clips inside the deck: the same voice on every device.' },
    needsLanguage: 'Choose a language for the front or the back first, so that a voice can be found.',
  },
  languages: { front: 'Language of the front', back: 'Language of the back', none: 'Not said' },
  signIn: {
    title: 'Flashcards that speak, ready for Anki',
    lead: 'Paste a list or name a topic. See every card, hear it, fix it – then import one file into Anki. Change it later: nothing is doubled and your progress stays.',
    button: 'Sign in',
    going: 'Taking you to sign-in…',
    done: 'You are signed out.',
    ended: 'Your session has ended. Sign in again; unsaved work on this device is kept.',
    denied: 'You did not allow access, so there is nothing to show. You can sign in whenever you like.',
    failed: 'Sign-in did not work out. Start again from here, in this tab.',
    unrevoked: 'You are signed out here, but the gateway could not be told. Remove Ankify there, under Connections.',
    sample: { front: 'der Hund', back: 'the dog', next: 'die Katze', third: 'das Pferd' },
    points: {
      paste: 'Your lists become cards, line by line',
      hear: 'Hear every card before you import it',
      safe: 'Import again: updated, never doubled',
    },
  },
  unreachable: {
    title: 'Ankify cannot be reached',
    text: 'The server does not answer. Your work on this device is kept.',
  },
  missing: {
    title: 'There is nothing here',
    text: 'The address leads nowhere, or to a deck of somebody else.',
    back: 'To your decks',
  },
  decks: {
    title: 'Decks',
    create: 'New deck',
    search: 'Search decks',
    sort: 'Sort by',
    sorts: { changed: 'Last changed', name: 'Name', cards: 'Most cards' },
    edited: (when: string) => `changed ${when}`,
    none: (text: string) => `No deck is called “${text}”.`,
    clear: 'Show all decks',
    found: (count: number) => plural(count, { one: '# deck', other: '# decks' }),
    empty: {
      title: 'Make your first deck',
      text: 'A list with one card a line is all it takes:',
      sample: 'der Hund - the dog\ndie Katze - the cat\ndas Pferd - the horse',
      button: 'Use this list',
      other: 'Start with your own',
      steps: ['Paste or write', 'See and hear every card', 'Import into Anki'],
    },
  },
  make: {
    title: 'New deck',
    how: 'Where the cards come from',
    ways: { paste: 'Paste a list', file: 'Open a file', topic: 'Name a topic' },
    text: 'Your list',
    textHint:
      'One card a line: “term - definition”, a tab between columns, Q: and A:, or Markdown. **Bold** words become gaps.',
    placeholder: 'der Hund - the dog\ndie Katze - the cat',
    drop: 'Drop a file here',
    dropHint: 'Text, CSV, TSV or Markdown, up to 500 KB',
    choose: 'Choose a file',
    fileWrong: 'This is no text file. Save it as .txt, .csv, .tsv or .md and try again.',
    fileLarge: 'The file is larger than 500 KB. Split it and make several decks.',
    fileRead: (name: string) => `${name} is read. Check the cards, then create the deck.`,
    topic: 'Topic',
    topicHint: 'What the cards shall be about. The more exact, the better the cards.',
    topicPlaceholder: 'Irregular French verbs in the past tense, with an example each',
    count: 'Number of cards',
    noModel:
      'This server has no language model. Your own assistant can write the cards: connect it, and ask for a deck.',
    connect: 'Connect your assistant',
    name: 'Name of the deck',
    nameHint: '“Languages::German” puts it below “Languages” in Anki.',
    noteType: 'Kind of cards',
    guess: 'As the text suggests',
    settings: 'Details',
    preview: 'Preview',
    previewEmpty: 'Cards appear here as you write.',
    previewCount: (cards: number, errors: number) =>
      errors === 0
        ? plural(cards, { one: '# card', other: '# cards' })
        : `${plural(cards, { one: '# card', other: '# cards' })}, ${plural(errors, { one: '# line needs a look', other: '# lines need a look' })}`,
    more: (count: number) => plural(count, { one: 'and # more card', other: 'and # more cards' }),
    line: (row: number) => `Line ${row}`,
    lineJump: (row: number) => `Go to line ${row}`,
    reason: 'No card can be made of this line. Put a “ - ” or a tab between the two sides.',
    leftOut: (count: number) =>
      plural(count, {
        one: '# line that is no card will be left out.',
        other: '# lines that are no cards will be left out.',
      }),
    tooMany: (count: number, limit: number) =>
      `${count} cards are too many for one deck; ${limit} fit. Two decks of the same name become one in Anki: make the rest into a second one.`,
    cost: {
      speech: (used: string, left: string) =>
        `Recorded speech takes about ${used} characters; ${left} are left this month.`,
      speechTooMuch: (used: string, left: string) =>
        `Recorded speech would take about ${used} characters, but only ${left} are left this month. Choose the speech of the device.`,
      model: (used: string, left: string) =>
        `The language model takes up to about ${used} tokens; ${left} are left this month.`,
      free: 'This costs nothing of your quota for speech and model.',
    },
    create: 'Create deck',
    creating: 'Creating…',
    generate: 'Write the cards',
    writing: 'The language model writes the cards',
    nameMissing: 'Give the deck a name.',
    nothing: 'There are no cards yet.',
    topicMissing: 'Say what the cards shall be about.',
  },
  deck: {
    back: 'Decks',
    name: 'Name of the deck',
    cards: 'Cards',
    front: 'Front',
    backSide: 'Back',
    sentence: 'Sentence with gaps',
    note: 'Remark',
    extra: 'Note below the answer',
    tags: 'Tags, separated by spaces',
    card: (position: number) => `Card ${position}`,
    field: (field: string, position: number) => `${field}, card ${position}`,
    add: 'Add a card',
    gap: 'Make a gap of the selected words',
    more: 'Note and tags',
    remove: 'Delete',
    up: 'Move up',
    down: 'Move down',
    removed: 'Card deleted.',
    undo: 'Undo',
    undone: 'The card is back.',
    moved: (position: number) => `Now card ${position}.`,
    added: 'New card.',
    lastCard: 'A deck needs at least one card. Write another one first, or delete the deck.',
    hear: {
      front: 'Hear the front',
      back: 'Hear the back',
      stop: 'Stop',
      device: 'voice of this device',
      recorded: 'recorded',
      noVoice: (name: string) =>
        `This device has no voice for ${name}. Anki may have one; recorded speech works everywhere.`,
      failed: 'The sound cannot be played here.',
    },
    status: {
      saved: 'All changes saved',
      saving: 'Saving…',
      unsaved: 'Not saved yet',
      waiting: 'No connection. Your work is kept on this device and saved as soon as possible.',
      memory: 'No connection, and this browser keeps nothing. Do not close this tab.',
      conflict: 'Waiting for your decision',
      refused: 'Not saved: a card needs a correction',
      stuck: 'Not saved',
    },
    incomplete: 'Needs a front and a back to be saved.',
    incompleteCloze: 'Needs a gap like {{c1::word}} to be saved.',
    restored: 'Unsaved changes from your last visit are back.',
    changed: {
      title: 'This deck was changed elsewhere',
      summary: (added: number, edited: number, removed: number) =>
        [
          added > 0 ? plural(added, { one: '# card added', other: '# cards added' }) : '',
          edited > 0 ? plural(edited, { one: '# card changed', other: '# cards changed' }) : '',
          removed > 0 ? plural(removed, { one: '# card deleted', other: '# cards deleted' }) : '',
        ]
          .filter(Boolean)
          .join(', '),
      merged: 'Both are together now; nothing of yours was lost.',
      choose: 'You changed the same. Which shall stay?',
      mine: 'Yours',
      theirs: 'The other',
      keepMine: 'Keep mine',
      takeTheirs: 'Take the other',
      gone: '(deleted)',
      settings: 'Name, languages or speech',
    },
    keys: {
      title: 'Keyboard',
      rows: [
        ['Enter', 'next field'],
        ['Shift + Enter', 'new line'],
        ['Ctrl + Enter', 'new card below'],
        ['Alt + ↑ ↓', 'move the card'],
        ['Alt + Delete', 'delete the card'],
      ] as ReadonlyArray<readonly [string, string]>,
    },
    settings: 'Settings',
    delete: 'Delete deck',
    deleteAsk: (name: string) => `Delete “${name}”?`,
    deleteText: 'Its cards are gone here for good. What you have imported into Anki stays there.',
    deleteYes: 'Delete for good',
    download: 'Download for Anki',
    preparing: 'Preparing…',
    recording: 'Recording speech',
    incompleteLeft: (count: number) =>
      plural(count, {
        one: '# card is incomplete and not in the file.',
        other: '# cards are incomplete and not in the file.',
      }),
    ready: (file: string) => `${file} is being downloaded.`,
    readyText:
      'Open it with Anki. Importing a newer one later updates changed cards and adds new ones; nothing is doubled, and what you have learned stays. Cards deleted here stay in Anki.',
    notHere: 'It did not start?',
    link: 'Download it here',
  },
  progress: (done: string, total: string) => `${done} of ${total}`,
  reconnecting: 'Connection lost; connecting again…',
  waitingTurn: 'Waiting for its turn…',
  usage: {
    title: 'Usage',
    lead: (month: string) => `What you have used in ${month}.`,
    reset: (when: string) => `Everything starts again at zero on ${when}.`,
    characters: {
      name: 'Recorded speech',
      unit: 'characters',
      hint: 'A clip that was made once costs nothing again, in any deck.',
    },
    decks: { name: 'New decks', unit: 'decks', hint: 'Deleting a deck gives nothing back.' },
    tokens: { name: 'Language model', unit: 'tokens', hint: 'Used where you name a topic. Pasted lists need none.' },
    of: (used: string, limit: string, unit: string) => `${used} of ${limit} ${unit}`,
    left: (left: string) => `${left} left`,
  },
  connect: {
    title: 'Connect your assistant',
    lead: 'Ankify is an MCP server. Your assistant makes and edits decks in the same account, and you see them here.',
    url: 'Address of the server',
    first: 'The first time, the assistant opens a page where you sign in and allow it.',
    local:
      'This server runs on your own computer. Assistants in the cloud (Claude.ai, ChatGPT) cannot reach it there; programs on this computer can.',
    terminal: 'In a terminal',
    file: (path: string) => `In ${path}`,
    steps: {
      claudeAi: [
        'Open Settings → Connectors.',
        'Choose “Add custom connector”.',
        'Paste the address and choose “Add”, then “Connect”.',
      ],
      chatGpt: [
        'Open Settings → Apps & Connectors → Advanced settings and turn on developer mode.',
        'Back in Apps & Connectors choose “Create”.',
        'Paste the address as MCP server URL, with OAuth.',
      ],
    },
    ask: 'Then ask, for example:',
    example: 'Make an Anki deck of 20 Italian words for a restaurant visit, with recorded speech.',
  },
  leave: {
    title: 'Some of your work is not saved',
    text: 'If you sign out now, the changes that did not reach the server are lost.',
    yes: 'Sign out anyway',
  },
  problems: {
    unreachable: ['No connection', 'Check your network. What you wrote is still here.'],
    'signed-out': ['Your session has ended', 'Sign in again; your unsaved work is kept.'],
    'not-found': ['It is not there any more', 'It may have been deleted in another window.'],
    'insufficient-scope': [
      'This is not allowed',
      'You did not allow Ankify to change decks. Sign out, sign in again and allow it.',
    ],
    'deck-refused': ['The cards cannot be stored like this', 'Correct what is named, then try again.'],
    'invalid-request': ['The server does not take this', 'Correct what is named, then try again.'],
    'too-large': ['This is too much at once', 'Make it smaller, or split it into several decks.'],
    'quota-reached': [
      'Your quota of this month is used up',
      'It starts again next month; the page Usage shows what is left.',
    ],
    'no-speech': ['This server records no speech', 'Choose the speech of the device.'],
    'no-model': ['This server has no language model', 'Paste a list, or connect your own assistant.'],
    'cannot-be-spoken': [
      'This cannot be spoken',
      'Choose a language for this side, and check that there is something to say.',
    ],
    'too-many-requests': ['Too much at once', 'Wait a minute, then try again.'],
    unavailable: ['The server is busy', 'Try again in a minute. What you wrote is still here.'],
    other: ['That went wrong', 'Try again. If it stays, tell whoever runs this server.'],
  } satisfies Record<string, readonly [what: string, cure: string]>,
  details: 'The server says',
};

type Wide<T> = T extends string
  ? string
  : T extends (...args: infer A) => string
    ? (...args: A) => string
    : T extends readonly unknown[]
      ? T
      : { readonly [K in keyof T]: Wide<T[K]> };

export type Words = Wide<typeof en>;
